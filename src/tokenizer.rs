//! How is a text cut into tokens, and how do tokens become text again?
//!
//! GPT-2's byte-level BPE: the text is cut by a pattern into words with their leading spaces, each word's
//! bytes are merged pair by pair into the pieces of the vocabulary (Sennrich et al. 2016; Radford et al. 2019,
//! section 2.2). A piece is a run of bytes, not always of whole characters, so pieces are kept as bytes.

mod merges;
mod own;
mod tokens;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, DecoderWrapper, Model, ModelWrapper, NormalizerWrapper, PostProcessorWrapper,
    PreTokenizerWrapper, TokenizerImpl,
};

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use merges::Merges;
pub use tokens::Tokens;

/// The token that separates documents in GPT-2's training text.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// GPT-2's published merge list: with the 256 bytes it defines the whole vocabulary of 50257 tokens.
const GPT2_MERGES: &str = include_str!("../assets/gpt2-merges.txt");

/// How many of its ids are single bytes; those of the merges follow, then the end of text.
const BYTES: u32 = 256;

/// A tokenizer behind a cheap handle.
#[derive(Clone)]
pub struct Tokenizer(Arc<Inner>);

struct Inner {
    engine: Box<dyn Engine>,
    /// One more than the highest id.
    size: usize,
    /// Whether GPT-2's pattern cuts the text, so that no token lies across the seams between its [`parts`].
    has_seams: bool,
}

impl Tokenizer {
    /// GPT-2's own tokenizer, built into the program. Parsed once, at first use.
    pub fn gpt2() -> Tokenizer {
        static GPT2: OnceLock<Tokenizer> = OnceLock::new();
        GPT2.get_or_init(Tokenizer::gpt2_anew).clone()
    }

    /// The same, parsed again: for measuring how long that takes.
    pub fn gpt2_anew() -> Tokenizer {
        let merges = Merges::parse(GPT2_MERGES).expect("the built-in merge list is well-formed");
        let size = merges.count();
        byte_level(merges, size).expect("the end of text is a token")
    }

    /// From a `tokenizer.json` as Hugging Face tokenizers writes it. If it is GPT-2's own, as with nearly every model,
    /// the one built in is used: comparing takes a tenth of the time of building another.
    pub fn from_json(path: &Path) -> Result<Tokenizer> {
        let text = std::fs::read(path).map_err(Error::io("read", path))?;
        if own::is_gpt2(&text) {
            return Ok(Tokenizer::gpt2());
        }
        let tokenizer =
            tokenizers::Tokenizer::from_bytes(text).map_err(|source| broken(path, source.to_string()))?;
        let size = tokenizer.get_vocab(true).into_values().max().map_or(0, |highest| highest as usize + 1);
        Ok(Tokenizer::new(tokenizer.into_inner(), size, false))
    }

    /// From the older pair `vocab.json` (piece → id) and `merges.txt` (one merge a line).
    pub fn from_vocab_and_merges(vocab: &Path, merges: &Path) -> Result<Tokenizer> {
        let text = std::fs::read_to_string(vocab).map_err(Error::io("read", vocab))?;
        let pieces: Vocab =
            serde_json::from_str(&text).map_err(|source| broken(vocab, source.to_string()))?;
        let text = std::fs::read_to_string(merges).map_err(Error::io("read", merges))?;
        let pairs = parse_merges(&text).map_err(|reason| broken(merges, reason))?;
        byte_level_bpe(pieces, pairs).map_err(|reason| broken(merges, reason))
    }

    /// From the pieces in the order of their ids, and the merges, two symbols with a space between them each. If they
    /// are GPT-2's own, the tokenizer built in is used.
    pub fn from_pieces(pieces: Vec<String>, merges: &[String]) -> Result<Tokenizer, String> {
        let own = GPT2_MERGES.lines().filter(|line| !line.starts_with("#version"));
        if merges.iter().map(String::as_str).eq(own) {
            return Ok(Tokenizer::gpt2());
        }
        let merges = parse_merges(&merges.join("\n"))?;
        byte_level_bpe((0..).zip(pieces).map(|(id, piece)| (piece, id)).collect(), merges)
    }

    fn new(engine: impl Engine + 'static, size: usize, has_seams: bool) -> Tokenizer {
        Tokenizer(Arc::new(Inner { engine: Box::new(engine), size, has_seams }))
    }

    /// How many ids there are: valid ones are `0..vocabulary_size()`.
    pub fn vocabulary_size(&self) -> usize {
        self.0.size
    }

    /// Cuts a text into tokens. Nothing is added at either end.
    pub fn tokenize(&self, text: &str) -> Tokens {
        self.tokenize_watched(text, &Interrupt::default()).expect("nobody asks to stop")
    }

    /// The same, part by part. Fails where somebody asks to stop.
    pub fn tokenize_watched(&self, text: &str, interrupt: &Interrupt) -> Result<Tokens> {
        let least = if self.0.has_seams { PART } else { usize::MAX };
        let mut ids = Vec::new();
        for part in parts(text, least) {
            interrupt.check()?;
            ids.extend(self.0.engine.ids(part));
        }
        Ok(Tokens::new(ids, self))
    }

    /// Tokens from ids. Fails on an id outside the vocabulary.
    pub fn tokens(&self, ids: impl Into<Vec<u32>>) -> Result<Tokens> {
        let ids = ids.into();
        match ids.iter().find(|id| **id as usize >= self.0.size) {
            Some(&id) => Err(Error::IdOutsideVocabulary { id: id.into(), size: self.0.size }),
            None => Ok(Tokens::new(ids, self)),
        }
    }

    /// The bytes that a token stands for; empty for an id that stands for nothing.
    pub fn piece(&self, id: u32) -> Vec<u8> {
        match self.0.engine.name(id) {
            None => Vec::new(),
            Some(name) if self.0.engine.is_special(&name) => name.into_bytes(),
            Some(name) => bytes_of_symbols(&name).unwrap_or_else(|| name.into_bytes()),
        }
    }

    /// The id of the token that ends a text, if the vocabulary has it.
    pub fn end_of_text(&self) -> Option<u32> {
        self.0.engine.id(END_OF_TEXT)
    }
}

/// What the library does around a model of pieces.
type Around<M> =
    TokenizerImpl<M, NormalizerWrapper, PreTokenizerWrapper, PostProcessorWrapper, DecoderWrapper>;

/// A tokenizer of the library, whatever its model is.
trait Engine: Send + Sync {
    fn ids(&self, text: &str) -> Vec<u32>;
    fn name(&self, id: u32) -> Option<String>;
    fn id(&self, name: &str) -> Option<u32>;
    /// Whether a name is not written in byte symbols.
    fn is_special(&self, name: &str) -> bool;
}

impl<M: Model + Send + Sync> Engine for Around<M> {
    fn ids(&self, text: &str) -> Vec<u32> {
        let encoding = self.encode_fast(text, false).expect("byte-level BPE encodes any text");
        encoding.get_ids().to_vec()
    }

    fn name(&self, id: u32) -> Option<String> {
        self.id_to_token(id)
    }

    fn id(&self, name: &str) -> Option<u32> {
        self.token_to_id(name)
    }

    fn is_special(&self, name: &str) -> bool {
        self.get_added_vocabulary().is_special_token(name)
    }
}

/// Bytes that are cut into tokens at a time: what that takes is some three hundred times as large.
const PART: usize = 1 << 16;

/// A text in parts of at least so many bytes, each but the last cut before white space that follows something else:
/// no match of GPT-2's pattern lies across.
fn parts(text: &str, least: usize) -> impl Iterator<Item = &str> {
    let is_seam = |text: &str, at: usize| {
        let is_ink = |c: char| !c.is_whitespace() && !c.is_control();
        matches!(text.as_bytes()[at], b' ' | b'\n') && text[..at].ends_with(is_ink)
    };
    let mut rest = text;
    std::iter::from_fn(move || {
        let seam = (least.max(1)..rest.len()).find(|&at| is_seam(rest, at));
        let (part, behind) = rest.split_at(seam.unwrap_or(rest.len()));
        rest = behind;
        (!part.is_empty()).then_some(part)
    })
}

fn broken(path: &Path, reason: String) -> Error {
    Error::BrokenTokenizer { path: path.to_owned(), reason }
}

type Pairs = Vec<(String, String)>;

/// `merges.txt`: two symbols a line; a first line `#version …` says nothing.
fn parse_merges(text: &str) -> Result<Pairs, String> {
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with("#version"));
    lines
        .map(|(number, line)| match line.split_once(' ') {
            Some((left, right)) => Ok((left.to_owned(), right.to_owned())),
            None => Err(format!("line {} is no pair of symbols", number + 1)),
        })
        .collect()
}

/// The vocabulary that GPT-2's merges define: the 256 bytes, one piece a merge, and the end of text.
#[cfg(test)]
fn vocabulary_of(merges: &Pairs) -> Vocab {
    let bytes = byte_symbols().map(|(_, symbol)| symbol.to_string());
    let merged = merges.iter().map(|(left, right)| format!("{left}{right}"));
    bytes.chain(merged).chain([END_OF_TEXT.to_owned()]).zip(0..).collect()
}

fn byte_level_bpe(vocabulary: Vocab, merges: Pairs) -> Result<Tokenizer, String> {
    // The end of a text gets the next id if the vocabulary lacks it.
    let highest = vocabulary.values().max().map_or(0, |id| *id as usize);
    // A token that is added gets the number of tokens so far as its id.
    let added = if vocabulary.contains_key(END_OF_TEXT) { 0 } else { vocabulary.len() };
    let size = highest.max(added) + 1;
    let bpe =
        BPE::builder().vocab_and_merges(vocabulary, merges).build().map_err(|source| source.to_string())?;
    byte_level(ModelWrapper::from(bpe), size)
}

/// Words cut and joined as GPT-2 does it, around a model of their pieces.
fn byte_level<M: Model + Send + Sync + 'static>(model: M, size: usize) -> Result<Tokenizer, String> {
    let byte_level = ByteLevel::new(false, false, true);
    let mut tokenizer: Around<M> = TokenizerImpl::new(model);
    tokenizer.with_pre_tokenizer(Some(PreTokenizerWrapper::ByteLevel(byte_level)));
    tokenizer.with_post_processor(Some(PostProcessorWrapper::ByteLevel(byte_level)));
    tokenizer.with_decoder(Some(DecoderWrapper::ByteLevel(byte_level)));
    tokenizer
        .add_special_tokens([AddedToken::from(END_OF_TEXT, true)])
        .map_err(|source| source.to_string())?;
    Ok(Tokenizer::new(tokenizer, size, true))
}

/// Each byte with the printable character that stands for it, in the order of GPT-2's first 256 ids
/// (`bytes_to_unicode` in openai/gpt-2, src/encoder.py): those that print stand for themselves, the others
/// for the characters from U+0100 on.
fn byte_symbols() -> impl Iterator<Item = (u8, char)> {
    let printable = (b'!'..=b'~').chain(0xA1..=0xAC).chain(0xAE..=0xFF);
    let others = (0..=b' ').chain(0x7F..=0xA0).chain([0xAD]);
    printable.map(|byte| (byte, char::from(byte))).chain(others.zip('\u{100}'..))
}

/// The bytes behind a piece written in byte symbols; `None` if it is written otherwise.
fn bytes_of_symbols(piece: &str) -> Option<Vec<u8>> {
    static BYTES: OnceLock<HashMap<char, u8>> = OnceLock::new();
    let bytes = BYTES.get_or_init(|| byte_symbols().map(|(byte, symbol)| (symbol, byte)).collect());
    piece.chars().map(|symbol| bytes.get(&symbol).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exercise_splits_as_published() {
        let tokens = Tokenizer::gpt2().tokenize("Udacity is the best place to learn about generative");
        assert_eq!(tokens.ids(), [52, 67, 4355, 318, 262, 1266, 1295, 284, 2193, 546, 1152, 876]);
        let pieces: Vec<_> = tokens.pieces().map(|piece| String::from_utf8(piece).unwrap()).collect();
        assert_eq!(pieces[..4], ["U", "d", "acity", " is"]);
        assert_eq!(pieces[10..], [" gener", "ative"]);
    }

    #[test]
    fn a_character_cut_in_two_is_whole_again_together() {
        let tokens = Tokenizer::gpt2().tokenize("🙂");
        assert!(tokens.len() > 1);
        assert!(tokens.pieces().any(|piece| std::str::from_utf8(&piece).is_err()));
        assert_eq!(tokens.text(), "🙂");
    }

    #[test]
    fn appended_newlines_are_not_the_newlines_of_the_text() {
        let tokenizer = Tokenizer::gpt2();
        let appended = tokenizer.tokenize("\n").with(198).unwrap();
        assert_eq!(appended.ids(), [198, 198]);
        assert_eq!(tokenizer.tokenize(&appended.text()).ids(), [628]);
    }

    #[test]
    fn an_id_outside_the_vocabulary_is_named() {
        let error = Tokenizer::gpt2().tokens([1, 50257]).unwrap_err();
        assert_eq!(error.to_string(), "id 50257 is outside the vocabulary of 50257 tokens");
    }

    #[test]
    fn the_end_of_text_is_one_token() {
        let tokenizer = Tokenizer::gpt2();
        assert_eq!(tokenizer.tokenize("a<|endoftext|>b").ids(), [64, 50256, 65]);
        assert_eq!(tokenizer.end_of_text(), Some(50256));
        assert_eq!(tokenizer.piece(50256), END_OF_TEXT.as_bytes());
    }

    #[test]
    fn parts_are_cut_where_no_token_lies_across() {
        assert_eq!(parts("a cat's  tail \n\nsat", 2).collect::<Vec<_>>(), ["a cat's", "  tail", " \n\nsat"]);
        assert_eq!((parts("", 1).count(), parts("onelongword", 1).count()), (0, 1));
        let text =
            "It's 10 o'clock,  don't\n\n worry \u{a0} …  日本語 の\tcat\u{3000} 😀 <|endoftext|> end \n";
        let whole = Tokenizer::gpt2().tokenize(text);
        for least in 0..text.len() {
            let ids: Vec<u32> =
                parts(text, least).flat_map(|part| Tokenizer::gpt2().tokenize(part).ids().to_vec()).collect();
            assert_eq!(ids, whole.ids(), "{least}");
        }
    }

    #[test]
    fn any_text_survives_byte_for_byte() {
        // Every length up to 40 of characters of 1 to 4 bytes, controls and blanks, in an order that looks random.
        let alphabet: Vec<char> =
            "aZ9 \t\n\r\0\u{7f}\u{a0}\u{ad}ßıçЖ\u{301}中文ﷺ\u{200d}\u{feff}🙂🇨🇭's\"".chars().collect();
        let mut state = 1_usize;
        for length in (0..=40).cycle().take(2000) {
            let text: String = std::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                alphabet[(state >> 33) % alphabet.len()]
            })
            .take(length)
            .collect();
            assert_eq!(Tokenizer::gpt2().tokenize(&text).bytes(), text.as_bytes(), "{text:?}");
        }
    }
}
