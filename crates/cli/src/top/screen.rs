// SPDX-License-Identifier: Apache-2.0
//! The terminal: taken, drawn on, and given back as it was.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use crossterm::{
    cursor::{Hide, MoveTo, Show},
    event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, poll, read},
    execute, queue,
    style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor},
    terminal::{
        BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
        LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
    },
};

use super::text::{Line, Style};

/// A terminal that is ours until this is dropped.
pub(super) struct Screen(());

/// What whoever watches has done.
pub(super) enum Input {
    Quit,
    Resized,
    Nothing,
}

/// How long a key is waited for; as long does it take until something new is drawn.
const WAIT: Duration = Duration::from_millis(100);

/// How wide the terminal is, if there is one.
pub(super) fn columns() -> Option<usize> {
    use std::io::IsTerminal as _;
    let (columns, _) = io::stdout().is_terminal().then(size)?.ok()?;
    Some(usize::from(columns))
}

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        enable_raw_mode()?;
        // From here on it is given back also after an error.
        let screen = Self(());
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    /// Columns and rows.
    #[expect(clippy::unused_self, reason = "only who has the terminal may ask")]
    pub(super) fn size(&self) -> io::Result<(usize, usize)> {
        let (columns, rows) = size()?;
        Ok((usize::from(columns), usize::from(rows)))
    }

    /// Puts lines in the place of what is there.
    pub(super) fn draw(&mut self, lines: &[Line]) -> io::Result<()> {
        let (columns, rows) = self.size()?;
        let mut out = io::stdout().lock();
        queue!(out, BeginSynchronizedUpdate, MoveTo(0, 0))?;
        for (row, line) in lines.iter().take(rows).enumerate() {
            if row > 0 {
                queue!(out, Print("\r\n"))?;
            }
            for (text, style) in line.clipped(columns) {
                match style {
                    Style::Plain => queue!(out, Print(text))?,
                    Style::Strong => queue!(out, SetAttribute(Attribute::Bold), Print(text))?,
                    Style::Dim => queue!(out, SetAttribute(Attribute::Dim), Print(text))?,
                    Style::Good => queue!(out, SetForegroundColor(Color::Green), Print(text))?,
                    Style::Warning => queue!(out, SetForegroundColor(Color::Yellow), Print(text))?,
                    Style::Bad => queue!(out, SetForegroundColor(Color::Red), Print(text))?,
                }
                queue!(out, SetAttribute(Attribute::Reset), ResetColor)?;
            }
            queue!(out, Clear(ClearType::UntilNewLine))?;
        }
        queue!(out, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        out.flush()
    }

    /// Waits a little for a key.
    #[expect(clippy::unused_self, reason = "only who has the terminal may ask")]
    pub(super) fn input(&self) -> io::Result<Input> {
        if !poll(WAIT)? {
            return Ok(Input::Nothing);
        }
        Ok(match read()? {
            Event::Key(KeyEvent { code, modifiers, kind, .. }) if kind != KeyEventKind::Release => match code
            {
                KeyCode::Char('q') => Input::Quit,
                KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Input::Quit,
                _ => Input::Nothing,
            },
            Event::Resize(_, _) => Input::Resized,
            _ => Input::Nothing,
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Where the terminal is gone there is nothing to give back.
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}
