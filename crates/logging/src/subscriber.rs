// SPDX-License-Identifier: Apache-2.0
//! The subscriber: which events are written, in which form, and where to.

use std::{io, path::PathBuf, str::FromStr as _, sync::Arc};

use dstreams_streaming::{Config, clock::Clock, config::keys};
use tracing::{Level, Metadata, Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer, Registry,
    filter::{Targets, filter_fn},
    fmt::{self, MakeWriter},
    layer::SubscriberExt as _,
    registry::LookupSpan,
};

use crate::{
    error::LogError,
    roller::{Limits, Roller},
};

/// A layer of any form.
type BoxLayer<S> = Box<dyn Layer<S> + Send + Sync>;

/// One line per event of `level` and above, on standard error.
pub(crate) fn on_stderr(level: Level) -> impl Subscriber + Send + Sync {
    let layer = lines(Form::Text, io::stderr);
    Registry::default().with(layer.with_filter(LevelFilter::from_level(level)))
}

/// What the configuration asks for.
pub(crate) fn configured(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<impl Subscriber + Send + Sync + use<>, LogError> {
    let text = config.get(&keys::LOG_LEVEL);
    let targets = targets(&text)?;
    let form = if config.get(&keys::LOG_FORMAT) == "json" { Form::Json } else { Form::Text };
    let limits = Limits {
        size: config.get(&keys::LOG_MAX_SIZE).as_bytes(),
        age: config.get(&keys::LOG_MAX_AGE),
        total: config.get(&keys::LOG_MAX_TOTAL).as_bytes(),
    };
    let open = |path: Option<String>| {
        let opened = path.map(|path| Roller::open(PathBuf::from(path), limits, Arc::clone(clock)));
        opened.transpose()
    };
    let engine = open(config.get(&keys::LOG_FILE))?;
    let application = open(config.get(&keys::LOG_APPLICATION_FILE))?;
    let is_split = application.is_some();
    // What is not of the application when that has a file of its own, else all.
    let main = filter_fn(move |about| !is_split || about.is_span() || is_of_engine(about));
    let main = match engine {
        Some(file) => lines(form, file).with_filter(main).boxed(),
        None => lines(form, io::stderr).with_filter(main).boxed(),
    };
    let application = application.map(|file| {
        lines(form, file).with_filter(filter_fn(|about| about.is_span() || !is_of_engine(about))).boxed()
    });
    let layers: Vec<BoxLayer<Registry>> = [Some(main), application].into_iter().flatten().collect();
    Ok(Registry::default().with(layers).with(targets))
}

/// The target of the spans that carry the time of a batch.
const BATCH: &str = "dstreams_batch";

/// The levels that a text asks for.
fn targets(text: &str) -> Result<Targets, LogError> {
    let failed = |problem: String| LogError::Level { text: text.to_owned(), problem };
    let mut alone = text.split(',').filter(|part| !part.contains('=')).map(str::trim);
    // It would be taken for a module of which everything is to be logged.
    if let Some(word) = alone.find(|word| LevelFilter::from_str(word).is_err()) {
        return Err(failed(format!("{word} is no level")));
    }
    let targets = Targets::from_str(text).map_err(|error| failed(error.to_string()))?;
    Ok(targets.with_target(BATCH, Level::ERROR))
}

/// Whether an event comes from this engine: its crates have names that begin so.
fn is_of_engine(event: &Metadata<'_>) -> bool {
    event.target().starts_with("dstreams")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

/// One line per event, with the spans that it is in: those of a batch carry its time.
fn lines<S, W>(form: Form, writer: W) -> BoxLayer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // A closed standard error (`2>&1 | head`), or a full disk, must not make every thread panic that has something to say.
    let layer = fmt::layer().with_writer(writer).log_internal_errors(false);
    match form {
        Form::Text => layer.with_target(false).with_ansi(false).boxed(),
        Form::Json => layer.json().flatten_event(true).with_current_span(false).with_span_list(true).boxed(),
    }
}

impl<'a> MakeWriter<'a> for Roller {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
