//! A terminal's answer that comes while somebody types: it is heard, and leaves nothing in the line.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, KeyCode, KeyEvent, Modifiers, RepeatCount,
};

use crate::terminal::Late;

/// Who waited longer than this for an answer waits for none: what looks like one is somebody's key.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer that may still come. Clones hear the same one.
#[derive(Clone, Default)]
pub struct Expected(Arc<Mutex<Option<(Late, Instant)>>>);

impl Expected {
    pub fn new(late: Option<Late>) -> Expected {
        Expected(Arc::new(Mutex::new(late.map(|late| (late, Instant::now())))))
    }

    /// The answer, once it has come; then no other is expected.
    pub fn take(&self) -> Option<Late> {
        let mut expected = self.0.lock().ok()?;
        expected.take_if(|(late, _)| late.whole().is_some()).map(|(late, _)| late)
    }

    fn takes(&self, key: KeyEvent) -> bool {
        let Ok(mut expected) = self.0.lock() else { return false };
        let Some((late, since)) = &mut *expected else { return false };
        late.whole().is_none()
            && since.elapsed() < PATIENCE
            && written(key).is_some_and(|piece| late.takes(&piece))
    }
}

/// Asked for every key that has no other meaning.
impl ConditionalEventHandler for Expected {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, _: &EventContext) -> Option<Cmd> {
        let Event::KeySeq(keys) = event else { return None };
        keys.first().is_some_and(|key| self.takes(*key)).then_some(Cmd::Noop)
    }
}

/// What the editor read as a key, as it came.
fn written(KeyEvent(code, modifiers): KeyEvent) -> Option<String> {
    match (code, modifiers) {
        (KeyCode::Char(c), Modifiers::NONE) => Some(c.to_string()),
        (KeyCode::Char(c), Modifiers::ALT) => Some(format!("\x1b{c}")),
        (KeyCode::Char('G'), Modifiers::CTRL) => Some("\x07".to_owned()),
        // The only one that a terminal answers with.
        (KeyCode::UnknownEscSeq, _) => Some("\x1b[?".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_put_together_from_keys() {
        let expected = Expected::new(Some(Late::default()));
        let keys = |text: &str| {
            text.chars().map(|c| KeyEvent(KeyCode::Char(c), Modifiers::NONE)).collect::<Vec<_>>()
        };
        assert!(!expected.takes(KeyEvent::new('x', Modifiers::NONE)));
        assert!(expected.takes(KeyEvent::alt(']')));
        assert!(keys("11;rgb:ff/ff/ff").into_iter().all(|key| expected.takes(key)));
        assert!(expected.takes(KeyEvent::ctrl('G')) && expected.take().is_none());
        assert!(expected.takes(KeyEvent(KeyCode::UnknownEscSeq, Modifiers::NONE)));
        assert!(keys("62;22c").into_iter().all(|key| expected.takes(key)));
        let late = expected.take().unwrap();
        assert_eq!(late.whole(), Some("\x1b]11;rgb:ff/ff/ff\x07\x1b[?62;22c"));
        assert!(!expected.takes(KeyEvent::alt(']')));
        assert!(!Expected::new(None).takes(KeyEvent::alt(']')));
    }
}
