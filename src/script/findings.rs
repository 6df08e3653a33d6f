//! Results of analyses as a script's values: each has a table, and most have a picture.

use rhai::Dynamic;

use crate::analyse::attention::{Attention, Pattern};
use crate::analyse::attribution::Attribution;
use crate::analyse::comparison::Comparison;
use crate::analyse::contributions::Contributions;
use crate::analyse::embeddings::{EmbeddingMap, Positions};
use crate::analyse::lens::{Lens, Shade};
use crate::analyse::neighbours::Neighbours;
use crate::analyse::patching::Patching;
use crate::analyse::perplexity::Perplexity;
use crate::analyse::surprisal::Surprisal;
use crate::error::Result;
use crate::render::{Chart, Output, Table};

/// A value that can show itself.
pub trait Finding {
    fn table(&self, n: Option<usize>) -> Result<Table>;

    /// A picture of at most `n` of its parts where that can be chosen.
    fn chart(&self, _n: usize) -> Option<Result<Chart>> {
        None
    }

    /// How it looks at the end of a cell.
    fn output(&self) -> Result<Output> {
        self.table(None).map(Output::Table)
    }
}

macro_rules! findings {
    ($($kind:ty),* $(,)?) => {
        /// Does something with a value that is a finding; nothing with another.
        pub fn with<T>(value: &Dynamic, work: impl FnOnce(&dyn Finding) -> T) -> Option<T> {
            $(if let Some(finding) = value.read_lock::<$kind>() { return Some(work(&*finding)); })*
            None
        }
    };
}

findings!(
    Surprisal,
    Perplexity,
    Attention,
    Pattern,
    Lens,
    Contributions,
    Patching,
    Attribution,
    Neighbours,
    EmbeddingMap,
    Positions,
    Comparison,
);

impl Finding for Surprisal {
    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(Surprisal::table(self))
    }

    fn chart(&self, _: usize) -> Option<Result<Chart>> {
        Some(Ok(Surprisal::chart(self)))
    }

    fn output(&self) -> Result<Output> {
        Ok(Output::ShadedText(self.shaded()))
    }
}

impl Finding for Perplexity {
    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(Perplexity::table(self))
    }
}

impl Finding for Attention {
    fn table(&self, _: Option<usize>) -> Result<Table> {
        Attention::table(self)
    }

    fn chart(&self, _: usize) -> Option<Result<Chart>> {
        Some(Attention::chart(self))
    }
}

impl Finding for Pattern {
    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(Pattern::table(self))
    }

    fn chart(&self, _: usize) -> Option<Result<Chart>> {
        Some(Ok(Pattern::chart(self)))
    }
}

impl Finding for Lens {
    fn table(&self, _: Option<usize>) -> Result<Table> {
        Lens::table(self, -1)
    }

    fn chart(&self, _: usize) -> Option<Result<Chart>> {
        Some(Ok(Lens::chart(self, Shade::Probability, false)))
    }
}

impl Finding for Contributions {
    fn table(&self, n: Option<usize>) -> Result<Table> {
        Ok(Contributions::table(self, &n.map_or_else(|| self.by_layer(), |n| self.top(n))))
    }

    fn chart(&self, _: usize) -> Option<Result<Chart>> {
        Some(Ok(Contributions::chart(self, self.by_layer())))
    }
}

impl Finding for Neighbours {
    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(Neighbours::table(self))
    }

    fn chart(&self, _: usize) -> Option<Result<Chart>> {
        Some(Ok(Neighbours::chart(self)))
    }
}

impl Finding for Comparison {
    fn table(&self, n: Option<usize>) -> Result<Table> {
        Ok(Comparison::table(self, n.unwrap_or(super::show::ROWS)))
    }

    fn chart(&self, n: usize) -> Option<Result<Chart>> {
        Some(Ok(Comparison::chart(self, n)))
    }
}

impl Finding for Attribution {
    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(Attribution::table(self))
    }

    fn chart(&self, _: usize) -> Option<Result<Chart>> {
        Some(Ok(Attribution::chart(self)))
    }
}

impl Finding for EmbeddingMap {
    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(EmbeddingMap::table(self))
    }

    fn chart(&self, _: usize) -> Option<Result<Chart>> {
        Some(Ok(EmbeddingMap::chart(self)))
    }
}

impl Finding for Positions {
    fn table(&self, _: Option<usize>) -> Result<Table> {
        Ok(Positions::table(self))
    }

    fn chart(&self, _: usize) -> Option<Result<Chart>> {
        Some(Ok(Positions::chart(self)))
    }
}

impl Finding for Patching {
    fn table(&self, n: Option<usize>) -> Result<Table> {
        Ok(Patching::table(self, n.unwrap_or(super::show::ROWS)))
    }

    fn chart(&self, _: usize) -> Option<Result<Chart>> {
        Some(Ok(Patching::chart(self)))
    }
}
