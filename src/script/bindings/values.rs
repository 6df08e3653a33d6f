//! The types that scripts see: their names, and how a value is written in a line.

use std::any::TypeId;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, Map, Module};

use crate::analyse::attention::{Attention, Pattern};
use crate::analyse::attribution::Attribution;
use crate::analyse::comparison::Comparison;
use crate::analyse::contributions::Contributions;
use crate::analyse::embeddings::{EmbeddingMap, Positions};
use crate::analyse::lens::{Lens, Reading};
use crate::analyse::neighbours::Neighbours;
use crate::analyse::next_token::{Candidate, NextToken};
use crate::analyse::patching::Patching;
use crate::analyse::perplexity::Perplexity;
use crate::analyse::samples::Samples;
use crate::analyse::stepper::Stepper;
use crate::analyse::surprisal::Surprisal;
use crate::analyse::xray::XRay;
use crate::error::Error;
use crate::generate::Generation;
use crate::generate::tree::Tree;
use crate::model::Model;
use crate::render::number::{percent, shortest};
use crate::render::{Chart, Page, ShadedText, Table, label};
use crate::tokenizer::Tokens;

/// Declares each type that scripts see: its name, and how a value of it is written in a line.
macro_rules! types {
    ($($kind:ty, $name:literal, |$value:ident| $text:expr;)*) => {
        /// The name that scripts know a Rust type by.
        pub fn type_name(rust: &str) -> Option<&'static str> {
            $(if rust == std::any::type_name::<$kind>() { return Some($name); })*
            None
        }

        /// The same by the last part of the Rust type's path.
        pub fn short_name(rust: &str) -> Option<&'static str> {
            $(if std::any::type_name::<$kind>().rsplit("::").next() == Some(rust) { return Some($name); })*
            None
        }

        /// Whether scripts know a type by this name.
        pub fn is_type(name: &str) -> bool {
            [$($name),*].contains(&name)
        }

        /// Names the types, and makes their values printable.
        pub fn register(engine: &mut Engine) {
            $(
                engine.register_type_with_name::<$kind>($name);
                printable(engine, |$value: &$kind| $text);
            )*
        }

        /// A value of one of the types.
        fn written(value: &Dynamic) -> Option<String> {
            $(if let Some($value) = value.read_lock::<$kind>() { return Some($text); })*
            None
        }
    };
}

types! {
    Tokens, "Tokens", |tokens| format!("{:?}", tokens.ids());
    NextToken, "Distribution", |next| format!("Distribution over {} tokens", next.distribution.len());
    Candidate, "Candidate", |candidate| {
        format!("{} `{}` {}", candidate.id, label(&candidate.piece), percent(f64::from(candidate.p)))
    };
    Generation, "Generation", |generation| generation.tokens.text();
    XRay, "XRay", |xray| format!("XRay of {} rules", xray.stages.len() - 1);
    Samples, "Samples", |samples| format!("Samples: {} texts", samples.runs.len());
    Tree, "Tree", |tree| format!("Tree of {} branches", tree.branches.len());
    Stepper, "Stepper", |stepper| stepper.text();
    Model, "Model", |model| format!("Model {}", model.name());
    Chart, "Chart", |chart| format!("Chart “{}”", chart.title());
    Table, "Table", |table| format!("Table of {} rows", table.rows.len());
    Surprisal, "Surprisal", |surprisal| format!("Surprisal of {} tokens: {:.2} bits", surprisal.tokens.len(), surprisal.total());
    Perplexity, "Perplexity", |perplexity| format!("Perplexity {:.4}", perplexity.perplexity());
    Attention, "Attention", |attention| {
        format!("Attention of {} × {} heads", attention.layers(), attention.heads())
    };
    Pattern, "Pattern", |pattern| format!("Pattern of layer {}, head {}", pattern.layer, pattern.head);
    ShadedText, "ShadedText", |shaded| format!("ShadedText “{}”", shaded.title);
    Page, "Report", |page| format!("Report “{}”", page.title);
    Lens, "Lens", |lens| format!("Lens over {} layers", lens.layers());
    Reading, "Reading", |reading| format!("Reading: token {}, {}", reading.id, percent(reading.p));
    Contributions, "Contributions", |parts| format!("Contributions to a logit of {:.3}", parts.logit);
    Patching, "Patching", |patching| format!("Patching of {} positions", patching.effects.len());
    Attribution, "Attribution", |why| format!("Attribution to {} tokens", why.gradient.len());
    EmbeddingMap, "EmbeddingMap", |map| format!("EmbeddingMap of {} tokens", map.points.len());
    Positions, "Positions", |positions| format!("Positions: {} embeddings", positions.count());
    Neighbours, "Neighbours", |near| format!("Neighbours: {} tokens", near.nearest.len());
    Comparison, "Comparison", |both| format!("Comparison: Jensen-Shannon {:.4} bits", both.js());
    Rc<Error>, "Error", |error| error.to_string();
}

/// Lets `for … in` walk over tokens and distributions: ids there, probabilities here.
pub fn iterable() -> Module {
    let mut module = Module::new();
    module.set_iter(TypeId::of::<Tokens>(), |value| {
        let ids = value.read_lock::<Tokens>().map(|tokens| tokens.ids().to_vec()).unwrap_or_default();
        Box::new(ids.into_iter().map(|id| Dynamic::from_int(id.into())))
    });
    module.set_iter(TypeId::of::<Generation>(), |value| {
        let ids = value.read_lock::<Generation>().map(|generation| generation.tokens.ids().to_vec());
        Box::new(ids.unwrap_or_default().into_iter().map(|id| Dynamic::from_int(id.into())))
    });
    module.set_iter(TypeId::of::<NextToken>(), |value| {
        let all = value.read_lock::<NextToken>().map(|next| next.distribution.probabilities().to_vec());
        Box::new(all.unwrap_or_default().into_iter().map(|p| Dynamic::from_float(shortest(p))))
    });
    module
}

fn printable<T: Clone + 'static>(engine: &mut Engine, write: impl Fn(&T) -> String + Copy + 'static) {
    for name in ["to_string", "to_debug", "print", "debug"] {
        engine.register_fn(name, move |value: &mut T| write(value));
    }
    engine.register_fn("+", move |left: &str, right: T| format!("{left}{}", write(&right)));
}

/// A value in a line, as one would write it in a script.
pub fn format(value: &Dynamic) -> String {
    if value.is_string() {
        return quoted(&value.to_string());
    }
    if let Ok(character) = value.as_char() {
        return format!("'{character}'");
    }
    if let Some(array) = value.read_lock::<Array>() {
        return format!("[{}]", array.iter().map(format).collect::<Vec<_>>().join(", "));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map.iter().map(|(name, value)| format!("{name}: {}", format(value)));
        return format!("#{{{}}}", entries.collect::<Vec<_>>().join(", "));
    }
    if value.is_unit() {
        return "()".to_owned();
    }
    written(value).unwrap_or_else(|| value.to_string())
}

/// A text between quotes, with what would not show written as in a script.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\x{:02x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
