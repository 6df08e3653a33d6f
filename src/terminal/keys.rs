//! Does Ctrl-C leave a mark? A terminal writes `^C` where the cursor is: into a growing text, or behind a bar that is
//! then no longer taken off the screen.

/// While this lives, it leaves none.
pub struct Unmarked(#[cfg(unix)] Option<rustix::termios::Termios>);

#[cfg(unix)]
pub fn unmarked() -> Unmarked {
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

#[cfg(not(unix))]
pub fn unmarked() -> Unmarked {
    Unmarked()
}

impl Drop for Unmarked {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(before) = &self.0 {
            // A terminal that went away needs nothing back.
            let _ =
                rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, before);
        }
    }
}
