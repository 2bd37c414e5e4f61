// SPDX-License-Identifier: Apache-2.0
//! `dstreams top`: the streaming page of an application in a terminal, redrawn in place.

mod client;
mod follow;
mod screen;
mod show;
mod table;
mod text;

use std::{
    error::Error,
    io::{self, IsTerminal as _},
    sync::mpsc,
};

use self::{
    client::{Client, Seen},
    screen::{Input, Screen},
    show::Room,
};
use crate::demo::watch_signals;

/// What is to be watched.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The address of the web UI of the application.
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:4040")]
    url: String,
    /// The token of a UI that is open to other machines.
    #[arg(long, env = "DSTREAMS_UI_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Print what is so now as plain text, and end. So it is where standard output is no terminal.
    #[arg(long)]
    once: bool,
}

type Outcome = Result<(), Box<dyn Error>>;

/// How many columns plain text has where no terminal says so.
const COLUMNS: usize = 100;

/// Shows the application until somebody has seen enough.
pub(crate) fn run(options: &Options) -> Outcome {
    let client = Client::new(&options.url, options.token.clone());
    // What is wrong with the address is said before the terminal changes.
    let seen = client.look()?;
    if options.once || !io::stdout().is_terminal() {
        let columns = screen::columns().unwrap_or(COLUMNS);
        let text = show::lines(&seen, None, Room::unlimited(columns));
        crate::demo::show::write(&text::plain(&text));
        return Ok(());
    }
    watch(client, seen)
}

fn watch(client: Client, mut seen: Seen) -> Outcome {
    let (interrupt, interrupted) = mpsc::channel();
    watch_signals(move || interrupt.send(()).is_ok())?;
    let mut screen = Screen::open()?;
    let news = follow::follow(client)?;
    let mut trouble = None;
    let mut is_drawn = false;
    loop {
        if !is_drawn {
            let (columns, rows) = screen.size()?;
            screen.draw(&show::lines(&seen, trouble.as_deref(), Room::of(columns, rows)))?;
            is_drawn = true;
        }
        match screen.input()? {
            Input::Quit => return Ok(()),
            Input::Resized => is_drawn = false,
            Input::Nothing => {}
        }
        if interrupted.try_recv().is_ok() {
            return Ok(());
        }
        for looked in news.try_iter() {
            is_drawn = false;
            match looked {
                Ok(now) => (seen, trouble) = (now, None),
                Err(error) => trouble = Some(error),
            }
        }
    }
}
