// SPDX-License-Identifier: Apache-2.0
//! Alerts for those who have no monitoring beside their application: what is wrong, to a log line, a webhook or by e-mail.
//!
//! The rules are keys under `dstreams.alerts`; each is off until it is set. An alert is told once when it is raised and
//! once when it is over. Only events of the context are looked at.
//!
//! ```
//! use dstreams_alerts::{Notice, Rules, State, Watch};
//! use dstreams_streaming::{Config, event::StreamingEvent, time::{Time, minutes}};
//! let mut config = Config::default();
//! config.set("dstreams.alerts.noCheckpointFor", "10min")?;
//! let mut watch = Watch::new("orders", Rules::of(&config));
//! # let graph = r#"{"event":"Graph","data":{"application":"orders","interval":1000,"checkpoint_dir":"/c","inputs":[],"operators":[],"outputs":[]}}"#;
//! # let graph: StreamingEvent = serde_json::from_str(graph)?;
//! watch.observe(&StreamingEvent::StreamingStarted(Time::ZERO));
//! watch.observe(&graph);
//! assert_eq!(watch.tick(Time::ZERO + minutes(9)), []);
//! let raised: Vec<Notice> = watch.tick(Time::ZERO + minutes(10));
//! assert_eq!(raised[0].to_string(), "orders: no checkpoint for 10 min");
//! assert_eq!(raised[0].state, State::Raised);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod error;
mod length;
mod notice;
mod rules;
mod send;
mod service;
mod watch;

pub use error::AlertError;
pub use notice::{Notice, Rule, State};
pub use rules::Rules;
pub use send::{Channel, Email, LogLine, Webhook};
pub use service::Alerts;
pub use watch::Watch;
