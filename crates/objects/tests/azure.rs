// SPDX-License-Identifier: Apache-2.0
//! Programs whose checkpoint directory is on Azurite, the emulator of Azure Blob Storage.

mod essentials;
mod given;
mod program;

use dstreams_streaming::{Config, storage::location, testing::TestContext, time::seconds};
use dstreams_test_servers::Azurite;
use program::{config, context, place, sums};

essentials::tests_on!(Azurite);

#[test]
fn a_container_has_several_urls() {
    let Some(server) = server("several URLs") else { return };
    place(server, "urls/stop").create("marker").and_then(|file| file.commit()).expect("it is put");
    for bucket in [
        "azure://container",
        "abfs://container",
        "abfss://container",
        "abfs://container@devstoreaccount1.dfs.core.windows.net",
        "abfss://container@devstoreaccount1.dfs.core.windows.net",
    ] {
        let marker = location(&format!("{bucket}/urls/stop"), &config(server, &[])).expect("a place");
        assert!(marker.exists().expect("it answers"), "{marker}");
        let listed = location(&format!("{bucket}/urls"), &config(server, &[])).expect("a place").list();
        assert_eq!(listed.expect("a listing").len(), 1);
    }
}

#[test]
fn a_shared_access_signature_is_enough() {
    let Some(server) = server("a signature") else { return };
    let mut config = Config::default();
    let settings = server.settings().into_iter().filter(|(key, _)| !key.ends_with("accountKey"));
    for (key, value) in settings.chain([("dstreams.objectStore.sasKey", Azurite::SAS.to_owned())]) {
        config.set(key, &value).expect("a known key");
    }
    // What is refused would be tried for minutes.
    config.set("dstreams.objectStore.giveUpAfter", "300ms").expect("a known key");
    let marker = location(&server.url("signature/stop"), &config).expect("a place");
    marker.create("marker").and_then(|file| file.commit()).expect("it is put");
    assert!(marker.exists().expect("it answers"));
    marker.remove("marker").expect("it is removed");
}

#[test]
fn a_wrong_key_and_a_missing_container_are_said_at_once() {
    let Some(server) = server("a wrong key") else { return };
    let wrong = [("dstreams.objectStore.accountKey", "d3Jvbmc=")];
    let test = context(server, "wrong-key", 0, &wrong);
    sums(&test);
    let refused = test.run(1).expect_err("it is not the key").to_string();
    assert!(refused.contains("AuthorizationFailure"), "{refused}");
    assert!(refused.ends_with("may read and write there"), "{refused}");
    let test = TestContext::with(config(server, &[]), seconds(1)).expect("an engine");
    test.context().checkpoint("az://nothing/here");
    sums(&test);
    let refused = test.run(1).expect_err("there is no such container").to_string();
    assert!(refused.contains("ContainerNotFound"), "{refused}");
    assert!(refused.ends_with("spelled right and exists"), "{refused}");
}
