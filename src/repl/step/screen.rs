//! The whole screen, for a while: what was there comes back, whatever happens.

use std::io::{Result, Write, stdout};

use termimad::crossterm::cursor::{Hide, MoveTo, Show};
use termimad::crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste, Event};
use termimad::crossterm::style::Print;
use termimad::crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use termimad::crossterm::{execute, queue};

/// As long as it lives, keys come one by one and nothing that is drawn stays.
pub struct Screen(());

impl Screen {
    pub fn open() -> Result<Screen> {
        enable_raw_mode()?;
        // From here on, leaving in any way puts everything back.
        let screen = Screen(());
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)?;
        Ok(screen)
    }

    /// Draws lines from the top; they must fit.
    pub fn draw(&mut self, lines: &[String]) -> Result<()> {
        let mut out = stdout().lock();
        queue!(out, BeginSynchronizedUpdate)?;
        for (row, line) in lines.iter().enumerate() {
            let row = u16::try_from(row).unwrap_or(u16::MAX);
            queue!(out, MoveTo(0, row), Print(line), Clear(ClearType::UntilNewLine))?;
        }
        queue!(out, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        out.flush()
    }

    /// Waits for a key, a paste or another size.
    pub fn event() -> Result<Event> {
        event::read()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that went away has nothing to put back.
        let _ = execute!(stdout(), Show, DisableBracketedPaste, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}
