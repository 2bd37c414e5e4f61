// SPDX-License-Identifier: Apache-2.0
//! Where checkpoints and marker files can be: on this machine, and under the URLs for which a storage is registered.

use std::{collections::BTreeMap, sync::Arc};

use dstreams_rdd::BoxError;
pub use dstreams_wal::{FileReader, Location, ObjectStorage, WholeFile};
use parking_lot::RwLock;

use crate::{
    config::Config,
    error::{Error, Result},
    local_path::local_path,
};

/// Makes the storage of a URL, with the options that the configuration has below [`OPTIONS`].
pub type OpenStorage = fn(url: &str, config: &Config) -> Result<Arc<dyn ObjectStorage>, BoxError>;

/// Keys under this prefix are options of object stores, whatever the store calls them.
pub const OPTIONS: &str = "dstreams.objectStore.";

static SCHEMES: RwLock<BTreeMap<&'static str, OpenStorage>> = RwLock::new(BTreeMap::new());

/// Has URLs of these schemes be opened by `open`, in place of what was registered for them before.
///
/// With the feature `object-store` the crate `dstreams` registers S3, Google Cloud Storage and Azure when a program
/// begins with `run`, `run_with` or `get_or_create`.
pub fn register(schemes: &[&'static str], open: OpenStorage) {
    SCHEMES.write().extend(schemes.iter().map(|scheme| (*scheme, open)));
}

/// The place that a path or a URL stands for; nothing is made there.
///
/// ```
/// use dstreams_streaming::{Config, storage::location};
///
/// let marker = location("file:///tmp/orders/stop", &Config::default())?;
/// assert_eq!(marker.path(), std::path::Path::new("/tmp/orders/stop"));
/// let refused = location("s3://bucket/orders", &Config::default()).unwrap_err();
/// assert!(refused.to_string().contains("object-store"));
/// # Ok::<(), dstreams_streaming::Error>(())
/// ```
pub fn location(text: &str, config: &Config) -> Result<Location> {
    let scheme = match local_path(text) {
        Ok(path) => return Ok(Location::local(path)),
        Err(scheme) => scheme,
    };
    let open = SCHEMES.read().get(scheme).copied();
    let open = open.ok_or_else(|| {
        Error::IllegalArgument(format!(
            "{text} cannot be opened: there is no storage for {scheme}: URLs; build with the feature `object-store` of the crate dstreams, call `dstreams::objects::register()` if the program makes its StreamingContext itself, or give a directory on a disk"
        ))
    })?;
    let objects = open(text, config)
        .map_err(|cause| Error::IllegalArgument(format!("{text} cannot be opened: {cause}")))?;
    Ok(Location::on(objects, text))
}
