// SPDX-License-Identifier: Apache-2.0
//! `OutputHandle`: an output that has been registered, to give it a name.

use std::{fmt, sync::Arc};

use crate::dstream::{endpoint::OutputId, scope::Scope};

/// An output of a graph.
#[derive(Clone)]
pub struct OutputHandle {
    scope: Arc<Scope>,
    id: Arc<OutputId>,
}

impl OutputHandle {
    pub(super) fn new(scope: &Arc<Scope>, id: &Arc<OutputId>) -> Self {
        Self { scope: Arc::clone(scope), id: Arc::clone(id) }
    }

    /// Gives the output a name, by which its sink knows it for ever: under another one everything would be written again.
    /// The first name stays; two outputs of one name are an error when the context starts.
    ///
    /// ```
    /// use dstreams_streaming::testing::{MemorySink, TestContext};
    /// let (sink, test) = (MemorySink::new(), TestContext::new()?);
    /// let output = test.input(vec![vec!["to", "be"]]).write_to(sink.clone()).named("words");
    /// assert_eq!(output.id(), "words");
    /// test.run(1)?;
    /// assert_eq!(&*sink.identities()[0].batch.output, "words");
    /// # Ok::<(), dstreams_streaming::Error>(())
    /// ```
    #[expect(clippy::return_self_not_must_use, reason = "the output is registered, whoever keeps the handle")]
    pub fn named(self, name: &str) -> Self {
        if self.scope.check_open() {
            self.id.set_name(name);
        }
        self
    }

    /// The name, or the kind of the output and its number among those of the kind.
    pub fn id(&self) -> &str {
        self.id.get()
    }
}

impl fmt::Debug for OutputHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutputHandle({})", self.id())
    }
}
