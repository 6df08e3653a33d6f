//! What helps while a cell is typed, as a client asks for it: completions, what a name is, how far to indent.

use serde_json::{Value, json};

use super::media;
use crate::script::Session;
use crate::script::assist::{self, Knowledge, Offer, OfferKind};

/// The content of a `complete_reply`. Cursors count code points.
pub fn complete(session: &Session, content: &Value) -> Value {
    let code = content["code"].as_str().unwrap_or_default();
    let cursor = byte_of(code, &content["cursor_pos"]);
    let (start, offers) = assist::complete(code, cursor, &Knowledge::of(session));
    let points = |byte: usize| code[..byte].chars().count();
    let (start, end) = (points(start), points(cursor));
    let kind = |offer: &Offer| {
        json!({
            "start": start, "end": end, "text": text(offer), "type": kind(offer.kind), "signature": offer.shown,
        })
    };
    json!({
        "status": "ok",
        "matches": offers.iter().map(text).collect::<Vec<_>>(),
        "cursor_start": start,
        "cursor_end": end,
        "metadata": { "_jupyter_types_experimental": offers.iter().map(kind).collect::<Vec<_>>() },
    })
}

/// What is inserted. Clients close brackets and quotes themselves.
fn text(offer: &Offer) -> String {
    let closing = if matches!(offer.closing.as_str(), ": " | "/") { offer.closing.as_str() } else { "" };
    format!("{}{closing}", offer.text)
}

/// What clients call that kind of name, and choose a symbol for.
fn kind(kind: OfferKind) -> &'static str {
    match kind {
        OfferKind::Variable => "instance",
        OfferKind::Function => "function",
        OfferKind::Field => "property",
        OfferKind::Option => "param",
        OfferKind::Keyword | OfferKind::Command => "keyword",
        OfferKind::Path | OfferKind::Lesson => "path",
        OfferKind::Model | OfferKind::Topic => "text",
    }
}

/// The content of an `inspect_reply`: what the name at the cursor is, as Markdown and as text; of the function's whose
/// brackets it stands in, if it is on none.
pub fn inspect(session: &Session, content: &Value) -> Value {
    let code = content["code"].as_str().unwrap_or_default();
    let cursor = byte_of(code, &content["cursor_pos"]);
    let deep = content["detail_level"] == 1;
    let found = assist::subject(code, cursor).and_then(|name| assist::describe(session, name, deep).ok());
    let bundle = found.as_ref().map(media::bundle);
    json!({
        "status": "ok",
        "found": bundle.is_some(),
        "data": bundle.as_ref().map_or(json!({}), |bundle| bundle.data.clone()),
        "metadata": {},
    })
}

/// The blanks that the next line of an unfinished cell begins with.
pub fn indent(code: &str) -> String {
    " ".repeat(assist::indent(code))
}

/// A cursor in code points as one in bytes; beyond the end it is the end.
fn byte_of(code: &str, cursor: &Value) -> usize {
    let points = cursor.as_u64().and_then(|points| usize::try_from(points).ok()).unwrap_or(usize::MAX);
    code.char_indices().nth(points).map_or(code.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_count_code_points() {
        assert_eq!(byte_of("é😀x", &json!(2)), 6);
        assert_eq!(byte_of("é😀x", &json!(99)), 7);
        assert_eq!(byte_of("é", &json!(-1)), 2);
    }
}
