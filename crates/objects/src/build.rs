// SPDX-License-Identifier: Apache-2.0
//! From a URL and a configuration to a store.

use std::{
    collections::BTreeMap,
    str::FromStr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use dstreams_rdd::BoxError;
use dstreams_streaming::{
    Config,
    config::keys,
    storage::{OPTIONS, ObjectStorage},
};
use object_store::{
    BackoffConfig, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    memory::InMemory,
};
use parking_lot::Mutex;

use crate::store::Store;

/// The schemes that can be opened.
pub(crate) const SCHEMES: &[&str] = &["s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "memory"];

/// Makes a client for the store of a URL. Nothing is asked of it yet.
pub(crate) fn open(url: &str, config: &Config) -> Result<Arc<dyn ObjectStorage>, BoxError> {
    let (scheme, rest) = url.split_once("://").ok_or("it is not a URL")?;
    let bucket = rest.split('/').next().unwrap_or_default();
    if bucket.is_empty() {
        return Err(format!("it names no bucket: {scheme}://bucket/directory").into());
    }
    let root = format!("{scheme}://{bucket}");
    let store: Arc<dyn ObjectStore> = match scheme {
        "memory" => in_memory(bucket),
        "gs" => {
            let mut builder = GoogleCloudStorageBuilder::from_env().with_url(&root).with_retry(retries());
            for (key, value) in options::<GoogleConfigKey>(config)? {
                builder = builder.with_config(key, value);
            }
            Arc::new(builder.build()?)
        }
        "s3" | "s3a" => {
            let mut builder = AmazonS3Builder::from_env().with_url(&root).with_retry(retries());
            for (key, value) in options::<AmazonS3ConfigKey>(config)? {
                builder = builder.with_config(key, value);
            }
            Arc::new(builder.build()?)
        }
        _ => {
            let mut builder = MicrosoftAzureBuilder::from_env().with_url(&root).with_retry(retries());
            for (key, value) in options::<AzureConfigKey>(config)? {
                builder = builder.with_config(key, value);
            }
            Arc::new(builder.build()?)
        }
    };
    let give_up_after = config.get(&keys::OBJECT_STORE_GIVE_UP_AFTER).to_std();
    Ok(Arc::new(Store::new(store, root, give_up_after)))
}

/// What the client does by itself before this crate reports that the store is away, and goes on trying.
fn retries() -> RetryConfig {
    let backoff = BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() };
    RetryConfig { backoff, max_retries: 4, retry_timeout: Duration::from_secs(20) }
}

/// The options of the configuration as the store calls them.
fn options<K: FromStr<Err = object_store::Error>>(config: &Config) -> Result<Vec<(K, String)>, BoxError> {
    config
        .below(OPTIONS)
        .filter(|(key, _)| *key != keys::OBJECT_STORE_GIVE_UP_AFTER.name())
        .map(|(key, value)| {
            let option = snake_case(&key[OPTIONS.len()..]);
            let known = K::from_str(&option).map_err(|_| format!("{key} is no option of this store"))?;
            Ok((known, value.to_owned()))
        })
        .collect()
}

/// `accessKeyId` as `access_key_id`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The store of this name, for as long as the process lives.
fn in_memory(name: &str) -> Arc<InMemory> {
    static STORES: LazyLock<Mutex<BTreeMap<String, Arc<InMemory>>>> = LazyLock::new(Mutex::default);
    Arc::clone(STORES.lock().entry(name.to_owned()).or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_the_store() {
        let mut config = Config::default();
        config.set("dstreams.objectStore.accessKeyId", "id").expect("any option is taken");
        config.set("dstreams.objectStore.allow_http", "true").expect("any option is taken");
        let options = options::<AmazonS3ConfigKey>(&config).expect("they are known");
        assert_eq!(options[0], (AmazonS3ConfigKey::AccessKeyId, "id".to_owned()));
        assert_eq!(options.len(), 2);
        config.set("dstreams.objectStore.colour", "red").expect("any option is taken");
        let refused = open("s3://bucket/dir", &config).expect_err("there is no such option").to_string();
        assert!(refused.contains("dstreams.objectStore.colour is no option"), "{refused}");
    }

    #[test]
    fn a_url_needs_a_bucket() {
        let refused = open("s3:///dir", &Config::default()).expect_err("there is none").to_string();
        assert!(refused.contains("s3://bucket/directory"), "{refused}");
    }
}
