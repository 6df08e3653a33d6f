//! Text that arrives in bytes, shown as soon as its characters are whole.

/// Holds back the bytes of a character that is not complete yet.
#[derive(Debug, Default)]
pub struct WholeCharacters(Vec<u8>);

impl WholeCharacters {
    /// What can be shown after these bytes; bytes that can never become a character are U+FFFD.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.0.extend_from_slice(bytes);
        let held = match std::str::from_utf8(&self.0) {
            Ok(_) => 0,
            Err(_) => incomplete(&self.0),
        };
        let rest = self.0.split_off(self.0.len() - held);
        let ready = std::mem::replace(&mut self.0, rest);
        String::from_utf8_lossy(&ready).into_owned()
    }

    /// What was held back, when nothing more comes.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

/// How many bytes at the end begin a character and lack its rest.
fn incomplete(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map(|chunk| chunk.invalid()).unwrap_or_default();
    let needed = match last.first() {
        Some(0xC2..=0xDF) => 2,
        Some(0xE0..=0xEF) => 3,
        Some(0xF0..=0xF4) => 4,
        _ => 0,
    };
    if last.len() < needed && bytes.ends_with(last) { last.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_character_waits_for_the_other_half() {
        let mut stream = WholeCharacters::default();
        let bytes = "a🙂é".as_bytes();
        let pieces: Vec<String> = bytes.iter().map(|byte| stream.push(&[*byte])).collect();
        assert_eq!(pieces, ["a", "", "", "", "🙂", "", "é"]);
        assert_eq!(stream.finish(), "");
    }

    #[test]
    fn what_never_becomes_a_character_is_not_held_for_ever() {
        let mut stream = WholeCharacters::default();
        assert_eq!(stream.push(b"\xE4\xB8"), "");
        assert_eq!(stream.push(b"x"), "\u{fffd}x");
        assert_eq!(stream.push(b"\xFF"), "\u{fffd}");
        assert_eq!(stream.push(b"\xF0\x9F"), "");
        assert_eq!(stream.finish(), "\u{fffd}");
    }
}
