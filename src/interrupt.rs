//! A request to stop, shared between whoever may ask (Ctrl-C, a notebook) and whatever is running.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};

/// How long a request may stay unnoticed while work that cannot be stopped is waited for.
const STEP: Duration = Duration::from_millis(5);

/// How many small things are done between two looks at what else may end them.
const STRIDE: usize = 1 << 12;

/// A cheap handle; all clones see the same request.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Request>);

#[derive(Default)]
struct Request {
    requested: AtomicBool,
    /// The names of what runs, the innermost last.
    running: Mutex<Vec<String>>,
    /// What else ends long work.
    bound: RwLock<Option<Bound>>,
}

/// Fails where long work must not go on.
type Bound = Box<dyn Fn() -> Result<()> + Send + Sync>;

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("requested", &self.requested).finish_non_exhaustive()
    }
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

    /// The same items one by one, or why long work must not go on: for work that is a great many small steps.
    pub fn watch<T>(&self, items: impl IntoIterator<Item = T>) -> impl Iterator<Item = Result<T>> {
        items.into_iter().enumerate().map(|(index, item)| match index % STRIDE {
            0 => self.check().map(|()| item),
            _ if self.is_requested() => Err(Error::Interrupted),
            _ => Ok(item),
        })
    }

    /// Does work of which a step cannot be stopped (a picture's encoding), on a thread of its own. Whoever asks to
    /// stop need not wait for the end of that step: what comes of the work is given up. The work hears of it from a
    /// request that is its own, so that nothing that runs later takes it back.
    ///
    /// # Errors
    /// Those of the work; [`Error::Interrupted`] if somebody asked to stop before it was done.
    pub fn unless_asked<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Interrupt) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.check()?;
        let given_up = Interrupt::default();
        let (done, result) = mpsc::channel();
        let heard = given_up.clone();
        let work = move || {
            // Nobody may be waiting any more.
            let _ = done.send(work(&heard));
        };
        let thread = thread::Builder::new().spawn(work).map_err(Error::io("start", "a thread"))?;
        loop {
            match result.recv_timeout(STEP) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => self.check().inspect_err(|_| given_up.request())?,
                // It panicked, and so do we.
                Err(RecvTimeoutError::Disconnected) => match thread.join() {
                    Err(panic) => std::panic::resume_unwind(panic),
                    Ok(()) => unreachable!("it sends before it ends"),
                },
            }
        }
    }

    /// Long work also ends where `bound` fails, instead of where an earlier one did.
    pub fn bound(&self, bound: impl Fn() -> Result<()> + Send + Sync + 'static) {
        *self.0.bound.write().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(bound));
    }

    /// `Err(Error::Interrupted)` if somebody asked to stop, or why long work must not go on: it calls this often.
    pub fn check(&self) -> Result<()> {
        if self.is_requested() {
            return Err(Error::Interrupted);
        }
        let bound = self.0.bound.read().unwrap_or_else(PoisonError::into_inner);
        bound.as_ref().map_or(Ok(()), |bound| bound())
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

    #[test]
    fn long_work_ends_at_its_bound_too() {
        let interrupt = Interrupt::default();
        let handle = interrupt.clone();
        handle.bound(|| Err(Error::TooMuchMemory { taken: 2, limit: 1 }));
        assert!(matches!(interrupt.check(), Err(Error::TooMuchMemory { .. })));
        // Who asks to stop is told that, whatever else there is.
        handle.request();
        assert!(matches!(interrupt.check(), Err(Error::Interrupted)));
    }

    #[test]
    fn work_that_cannot_be_stopped_is_given_up() {
        let interrupt = Interrupt::default();
        assert_eq!(interrupt.unless_asked(|_| Ok(6 * 7)).unwrap(), 42);
        // Work that goes on when this test says so.
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let (told, hears) = mpsc::channel();
        let asked = interrupt.clone();
        let asking = thread::spawn(move || {
            has_begun.recv().unwrap();
            asked.request();
        });
        let result = interrupt.unless_asked(move |given_up| {
            begun.send(()).unwrap();
            may_go_on.recv().unwrap();
            told.send(given_up.check().is_err()).unwrap();
            Ok(())
        });
        assert!(matches!(result, Err(Error::Interrupted)));
        asking.join().unwrap();
        // Once asked, nothing begins.
        assert!(interrupt.unless_asked(|_| -> Result<()> { panic!("it began") }).is_err());
        // What runs next is no leave for what was given up.
        interrupt.clear();
        go_on.send(()).unwrap();
        assert!(hears.recv().unwrap());
    }

    #[test]
    fn many_small_steps_end_at_the_next_one() {
        let interrupt = Interrupt::default();
        let all: Result<Vec<usize>> = interrupt.watch(0..10_000).collect();
        assert_eq!(all.unwrap().len(), 10_000);
        let mut done = 0;
        let result: Result<Vec<()>> = interrupt
            .watch(0..10_000)
            .map(|item| {
                done = item?;
                if done == 5000 {
                    interrupt.request();
                }
                Ok(())
            })
            .collect();
        assert!(matches!(result, Err(Error::Interrupted)));
        assert_eq!(done, 5000);
        // What bounds it ends it too.
        interrupt.clear();
        interrupt.bound(|| Err(Error::TooMuchMemory { taken: 2, limit: 1 }));
        assert!(interrupt.watch([1]).next().unwrap().is_err());
        assert!(interrupt.watch([0; 0]).next().is_none());
    }
}
