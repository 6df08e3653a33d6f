//! How does a text split into tokens?

use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::render::shaded::{Piece, ShadedText};
use crate::render::{Cell, Column, Table, label};
use crate::tokenizer::Tokens;

/// One row a token: position, id, token. Fails where somebody asks to stop.
pub fn table(tokens: &Tokens, interrupt: &Interrupt) -> Result<Table> {
    let columns = [Column::right("position"), Column::right("id"), Column::left("token")];
    let row = |(position, (id, piece)): (usize, (&u32, Vec<u8>))| {
        [Cell::Integer(position as i64), Cell::Integer((*id).into()), Cell::Text(label(&piece))]
    };
    let characters = tokens.text_watched(interrupt)?.chars().count();
    let note = format!("{} tokens, {characters} characters; · is a space, ↵ a new line", tokens.len());
    let mut table = Table::new(columns).note(note);
    for token in interrupt.watch(tokens.ids().iter().zip(tokens.pieces()).enumerate()) {
        table.push(row(token?));
    }
    Ok(table)
}

/// The text itself, in two shades that tell one token from the next.
pub fn pieces(tokens: &Tokens) -> ShadedText {
    let piece = |(position, (id, piece)): (usize, (&u32, Vec<u8>))| Piece {
        label: label(&piece),
        value: Some(if position % 2 == 0 { 0.15 } else { 0.4 }),
        detail: format!("position {position}, id {id}"),
    };
    ShadedText {
        title: format!("{} tokens", tokens.len()),
        unit: String::new(),
        most: 1.0,
        pieces: tokens.ids().iter().zip(tokens.pieces()).enumerate().map(piece).collect(),
    }
}
