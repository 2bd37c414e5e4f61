// SPDX-License-Identifier: Apache-2.0
//! The alerts of a program that [`run`](crate::run) runs.

use dstreams_streaming::{Result, StreamingContext};

/// Who tells people when something is wrong. What is to be told is sent when this is dropped.
#[derive(Default)]
pub(crate) struct Alerted {
    #[cfg(feature = "alerts")]
    alerts: Option<dstreams_alerts::Alerts>,
}

impl Alerted {
    /// Begins to watch a context that is about to be started, if its configuration asks for alerts.
    #[cfg(feature = "alerts")]
    pub(crate) fn start(&mut self, context: &StreamingContext) -> Result<()> {
        use dstreams_streaming::config::keys;
        if context.config().get(&keys::RECOVERY_MODE) == "explain" {
            return Ok(());
        }
        self.alerts = dstreams_alerts::Alerts::start(context)
            .map_err(|error| dstreams_streaming::Error::IllegalArgument(error.to_string()))?;
        Ok(())
    }

    /// Says that nobody is told of anything, if the configuration asks for alerts.
    #[cfg(not(feature = "alerts"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    pub(crate) fn start(&mut self, context: &StreamingContext) -> Result<()> {
        use dstreams_streaming::config::Origin;
        let settings = context.config().explain();
        let mut alerts = settings.iter().filter(|setting| setting.key.starts_with("dstreams.alerts."));
        if let Some(set) = alerts.find(|setting| setting.origin != Origin::Default) {
            tracing::warn!(
                "{} has no effect: build the program with the feature `alerts` of dstreams",
                set.key
            );
        }
        Ok(())
    }
}
