//! A request to stop, shared between whoever may ask (Ctrl-C, a notebook) and whatever is running.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};

/// A cheap handle; all clones see the same request.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Request>);

#[derive(Debug, Default)]
struct Request {
    requested: AtomicBool,
    /// The names of what runs, the innermost last.
    running: Mutex<Vec<String>>,
}

impl Interrupt {
    /// Asks whatever is running to stop.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::Relaxed);
    }

    /// Forgets an earlier request, before the next thing runs.
    pub fn clear(&self) {
        self.0.requested.store(false, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Relaxed)
    }

    /// Something begins, inside what runs already: its name is for whoever asks why nothing has stopped yet.
    pub fn begin(&self, name: &str) {
        if let Ok(mut running) = self.0.running.lock() {
            running.push(name.to_owned());
        }
    }

    /// What began last has ended.
    pub fn end(&self) {
        if let Ok(mut running) = self.0.running.lock() {
            running.pop();
        }
    }

    /// Nothing runs any more, however it ended.
    pub fn end_all(&self) {
        if let Ok(mut running) = self.0.running.lock() {
            running.clear();
        }
    }

    /// What runs, the innermost last.
    pub fn running(&self) -> Vec<String> {
        self.0.running.lock().map_or_else(|_| Vec::new(), |running| running.clone())
    }

    /// `Err(Error::Interrupted)` if somebody asked to stop: long work calls this often.
    pub fn check(&self) -> Result<()> {
        if self.is_requested() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_handles_see_what_was_asked_and_what_runs() {
        let (interrupt, other) = (Interrupt::default(), Interrupt::default());
        let handle = interrupt.clone();
        handle.begin("[1]");
        handle.begin("generating");
        handle.request();
        assert!(interrupt.is_requested() && interrupt.check().is_err() && !other.is_requested());
        assert_eq!(interrupt.running(), ["[1]", "generating"]);
        interrupt.end();
        assert_eq!(handle.running(), ["[1]"]);
        interrupt.end_all();
        interrupt.clear();
        assert!(handle.running().is_empty() && handle.check().is_ok());
    }
}
