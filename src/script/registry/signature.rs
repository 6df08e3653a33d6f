//! How is a function called: what it takes and gives, in the types that scripts know.

use std::fmt;

use crate::generate::options::Field;

/// One way to call a function.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The type that a method or field belongs to.
    pub owner: Option<String>,
    pub name: String,
    /// None for a field.
    pub parameters: Option<Vec<Parameter>>,
    pub returns: Option<String>,
}

/// A parameter; its type is none if it takes values of several.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: String,
    pub kind: Option<String>,
    /// What it may hold, if it is a map of options.
    pub options: Option<fn() -> Vec<Field>>,
}

impl Signature {
    /// As one calls it: without types.
    pub fn call(&self) -> String {
        self.written(|parameter| parameter.name.clone())
    }

    pub(super) fn takes(&self, kind: &str) -> bool {
        let first = self.parameters.iter().flatten().next();
        self.owner.as_deref().or(first.and_then(|first| first.kind.as_deref())) == Some(kind)
    }

    fn written(&self, write: impl Fn(&Parameter) -> String) -> String {
        let owner = self.owner.as_ref().map_or(String::new(), |owner| format!("{owner}."));
        let parameters = self.parameters.as_ref().map_or(String::new(), |parameters| {
            format!("({})", parameters.iter().map(write).collect::<Vec<_>>().join(", "))
        });
        format!("{owner}{}{parameters}", self.name)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameter = |Parameter { name, kind, .. }: &Parameter| match kind {
            Some(kind) => format!("{name}: {kind}"),
            None => name.clone(),
        };
        let returns = self.returns.as_ref().map_or(String::new(), |kind| format!(" -> {kind}"));
        write!(f, "{}{returns}", self.written(parameter))
    }
}
