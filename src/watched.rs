// SPDX-License-Identifier: Apache-2.0
//! What `run` adds to a program so that it can be watched: the web UI.

use dstreams_streaming::{Config, Error, Result, StreamingContext, config::keys};
use dstreams_web::WebUi;

/// Who watches a program. They go when this is dropped.
#[derive(Default)]
pub(crate) struct Watched {
    ui: Option<WebUi>,
}

impl Watched {
    /// Serves the web UI of a context that is about to be started.
    pub(crate) fn start(&mut self, context: &StreamingContext) -> Result<()> {
        if !is_run(context.config()) {
            return Ok(());
        }
        self.ui = match WebUi::start(context) {
            Ok(ui) => ui,
            // A program works without its pages. A token that is missing is another matter.
            Err(error @ dstreams_web::Error::NoPort { .. }) => {
                tracing::warn!("{error}");
                None
            }
            Err(error) => return Err(Error::user(error)),
        };
        if let Some(ui) = &self.ui {
            tracing::info!("web UI at {}", ui.url());
        }
        Ok(())
    }
}

/// Whether the context is started at all.
fn is_run(config: &Config) -> bool {
    config.get(&keys::RECOVERY_MODE) != "explain"
}
