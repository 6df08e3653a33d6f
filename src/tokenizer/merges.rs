//! GPT-2's own byte-pair merges as a model of the tokenizers library, ready in a few milliseconds.
//!
//! The library's own form keeps each piece and merge as strings of their own: 300,000 of them, which take longer to
//! build than the built-in model to load. Here all pieces lie in one text, and a merge's rank is its id less 256.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::path::{Path, PathBuf};

use tokenizers::models::bpe::BpeTrainer;
use tokenizers::{Model, Token};

use super::{BYTES, END_OF_TEXT, byte_symbols};

/// Pieces and merges by id.
pub struct Merges {
    /// Each id's piece, in byte symbols.
    pieces: Vec<&'static str>,
    ids: HashMap<&'static str, u32>,
    /// The id of two neighbours' merger. The lower it is, the earlier they are merged.
    merged: HashMap<(u32, u32), u32>,
}

impl Merges {
    /// From the published list, one merge a line, in the order of their ids. `Err` with the line that is no merge of
    /// earlier pieces.
    pub fn parse(list: &str) -> Result<Merges, String> {
        let lines = || list.lines().filter(|line| !line.starts_with("#version"));
        let mut text: String = byte_symbols().map(|(_, symbol)| symbol).collect();
        let mut ends: Vec<usize> =
            text.char_indices().map(|(start, _)| start).skip(1).chain([text.len()]).collect();
        for line in lines() {
            text.extend(line.split(' '));
            ends.push(text.len());
        }
        text.push_str(END_OF_TEXT);
        ends.push(text.len());

        // Kept as long as the program runs, as the list itself is.
        let text: &'static str = text.leak();
        let starts = [0].into_iter().chain(ends.iter().copied());
        let pieces: Vec<&str> = starts.zip(&ends).map(|(start, end)| &text[start..*end]).collect();
        let ids: HashMap<&str, u32> = pieces.iter().copied().zip(0..).collect();
        let mut merged = HashMap::with_capacity(pieces.len());
        for (line, id) in lines().zip(BYTES..) {
            let pair =
                line.split_once(' ').and_then(|(left, right)| Some((*ids.get(left)?, *ids.get(right)?)));
            let pair = pair.filter(|(left, right)| *left < id && *right < id);
            merged.insert(pair.ok_or_else(|| format!("`{line}` is no merge of two earlier pieces"))?, id);
        }
        Ok(Merges { pieces, ids, merged })
    }

    /// How many pieces there are.
    pub fn count(&self) -> usize {
        self.pieces.len()
    }

    /// The ids of a word in byte symbols. A word that is a piece is that piece: all of them are what their own merges
    /// make of them.
    fn cut(&self, word: &str) -> Option<Vec<u32>> {
        match self.ids.get(word) {
            Some(id) => Some(vec![*id]),
            None => self.merge(word),
        }
    }

    /// Merges a word's symbols, the pair of the lowest rank first, and of equal ones the leftmost.
    fn merge(&self, word: &str) -> Option<Vec<u32>> {
        let mut buffer = [0; 4];
        let mut parts: Vec<Option<u32>> = Vec::with_capacity(word.len());
        for symbol in word.chars() {
            parts.push(Some(*self.ids.get(&*symbol.encode_utf8(&mut buffer))?));
        }
        // A part's neighbours are those before and behind it that are left.
        let mut before: Vec<usize> = (0..parts.len()).map(|at| at.wrapping_sub(1)).collect();
        let mut behind: Vec<usize> = (1..=parts.len()).collect();
        let pair = |parts: &[Option<u32>], left: usize, right: usize| -> Option<(u32, usize, usize)> {
            let (a, b) = (parts.get(left).copied()??, parts.get(right).copied()??);
            self.merged.get(&(a, b)).map(|id| (*id, left, right))
        };
        let mut waiting: BinaryHeap<Reverse<(u32, usize, usize)>> = behind
            .iter()
            .enumerate()
            .filter_map(|(left, right)| pair(&parts, left, *right))
            .map(Reverse)
            .collect();
        while let Some(Reverse(next)) = waiting.pop() {
            let (id, left, right) = next;
            // One of the two may have been merged with another part meanwhile.
            if behind[left] != right || pair(&parts, left, right) != Some(next) {
                continue;
            }
            (parts[left], parts[right]) = (Some(id), None);
            behind[left] = behind[right];
            if let Some(before) = before.get_mut(behind[left]) {
                *before = left;
            }
            waiting.extend(pair(&parts, before[left], left).map(Reverse));
            waiting.extend(pair(&parts, left, behind[left]).map(Reverse));
        }
        Some(parts.into_iter().flatten().collect())
    }
}

impl Model for Merges {
    type Trainer = BpeTrainer;

    fn tokenize(&self, word: &str) -> tokenizers::Result<Vec<Token>> {
        let ids = self.cut(word).ok_or("the word is not in byte symbols")?;
        let mut end = 0;
        let token = |id: u32| {
            let (piece, start) = (self.pieces[id as usize], end);
            end += piece.len();
            Token::new(id, piece.to_owned(), (start, end))
        };
        Ok(ids.into_iter().map(token).collect())
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        self.pieces.get(id as usize).map(|piece| (*piece).to_owned())
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        self.ids.iter().map(|(piece, id)| ((*piece).to_owned(), *id)).collect()
    }

    fn get_vocab_size(&self) -> usize {
        self.count()
    }

    fn save(&self, _: &Path, _: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        Err("GPT-2's merges are part of the program".into())
    }

    fn get_trainer(&self) -> BpeTrainer {
        BpeTrainer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GPT2_MERGES, byte_level_bpe, parse_merges, vocabulary_of};
    use super::*;

    #[test]
    fn every_piece_is_what_its_merges_make_of_it() {
        let merges = Merges::parse(GPT2_MERGES).unwrap();
        assert_eq!(merges.count(), 50257);
        let last = merges.count() as u32 - 1;
        for (piece, id) in merges.pieces.iter().zip(0..last) {
            assert_eq!(merges.merge(piece), Some(vec![id]), "{piece}");
        }
    }

    #[test]
    fn the_library_cuts_every_text_the_same_way() {
        let list = parse_merges(GPT2_MERGES).unwrap();
        let library = byte_level_bpe(vocabulary_of(&list), list).unwrap();
        let own = super::super::Tokenizer::gpt2();
        let mut texts = vec![include_str!("../../README.md").to_owned(), "a".repeat(5000), " ".repeat(301)];
        // Letters in an order that looks random make words that are no pieces.
        let letters: Vec<char> = "aaeeiioouuttnnsshhrrdl  's.ÄЖ中🙂\n".chars().collect();
        let next = |state: &u64| {
            Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
        };
        let mut states = std::iter::successors(Some(7_u64), next);
        texts.extend((0..300).map(|length| -> String {
            states
                .by_ref()
                .take(length)
                .map(|state| letters[(state >> 33) as usize % letters.len()])
                .collect()
        }));
        for text in texts {
            assert_eq!(own.tokenize(&text).ids(), library.tokenize(&text).ids(), "{text}");
        }
    }

    #[test]
    fn a_line_that_is_no_merge_is_named() {
        let error = |list| Merges::parse(list).err().unwrap();
        assert_eq!(error("t h\nthe n"), "`the n` is no merge of two earlier pieces");
        assert_eq!(error("th"), "`th` is no merge of two earlier pieces");
    }
}
