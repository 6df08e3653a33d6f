//! How does a text split into tokens?

use crate::render::{Cell, Column, Table, label};
use crate::tokenizer::Tokens;

/// One row a token: position, id, token.
pub fn table(tokens: &Tokens) -> Table {
    let columns = [Column::right("position"), Column::right("id"), Column::left("token")];
    let row = |(position, (id, piece)): (usize, (&u32, Vec<u8>))| {
        [Cell::Integer(position as i64), Cell::Integer((*id).into()), Cell::Text(label(&piece))]
    };
    let characters = tokens.text().chars().count();
    let note = format!("{} tokens, {characters} characters; · is a space, ↵ a new line", tokens.len());
    Table::new(columns).rows(tokens.ids().iter().zip(tokens.pieces()).enumerate().map(row)).note(note)
}
