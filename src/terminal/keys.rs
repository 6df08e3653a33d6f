//! Does Ctrl-C leave a mark? A terminal writes `^C` where the cursor is: into a growing text, or behind a bar that is
//! then no longer taken off the screen.

/// While this lives, it leaves none.
#[cfg(unix)]
pub struct Unmarked(Option<rustix::termios::Termios>);

#[cfg(not(unix))]
pub struct Unmarked;

#[cfg(unix)]
impl Unmarked {
    pub fn new() -> Unmarked {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let set = || {
            let before = tcgetattr(std::io::stdin()).ok()?;
            let mut unmarked = before.clone();
            unmarked.local_modes.remove(LocalModes::ECHOCTL);
            tcsetattr(std::io::stdin(), OptionalActions::Now, &unmarked).ok()?;
            Some(before)
        };
        Unmarked(set())
    }
}

#[cfg(unix)]
impl Drop for Unmarked {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Some(before) = &self.0 {
            // A terminal that went away needs nothing back.
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

#[cfg(not(unix))]
impl Unmarked {
    pub fn new() -> Unmarked {
        Unmarked
    }
}
