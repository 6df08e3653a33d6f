//! What can be claimed of a model, and the questions that decide it.

/// Something that holds for the published model.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// Numbers that belong together.
    Numbers { what: String, numbers: Vec<Number> },
    /// The likeliest token after `ids`.
    Likeliest { after: String, ids: Vec<u32>, expected: u32 },
    /// The first tokens of the whole text, prompt included, when the likeliest is always taken.
    GreedyIds { after: String, ids: Vec<u32>, expected: Vec<u32> },
    /// The text that the tokens up to `length` begin with.
    GreedyText { after: String, ids: Vec<u32>, length: usize, expected: String },
    /// The likeliest tokens one after the other, when the grown text is cut into tokens anew each time.
    Reencoded { text: String, expected: Vec<String> },
}

/// A number with the question it answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    pub label: String,
    pub ask: Ask,
    pub expected: f64,
    /// How far an answer may be away.
    pub tolerance: f64,
}

/// A question with a number as its answer. `ids` is what was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    Probability {
        ids: Vec<u32>,
        id: u32,
    },
    /// Natural logarithm.
    LogProbability {
        ids: Vec<u32>,
        id: u32,
    },
    Logit {
        ids: Vec<u32>,
        id: u32,
    },
    /// Over the vocabulary at the last position.
    MeanLogit {
        ids: Vec<u32>,
    },
    /// Over the vocabulary and all positions.
    MeanOfAllLogits {
        ids: Vec<u32>,
    },
    /// Mean negative log probability of each token but the first, in nats.
    MeanLoss {
        ids: Vec<u32>,
    },
    /// e to the mean loss, averaged over texts.
    Perplexity {
        texts: Vec<Vec<u32>>,
    },
    /// One number of a token's embedding.
    Embedding {
        id: u32,
        index: usize,
    },
    /// A field of the configuration.
    Config(&'static str),
}
