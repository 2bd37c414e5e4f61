// SPDX-License-Identifier: Apache-2.0
//! stub
pub mod disk {
    pub struct DiskStore;
    impl DiskStore {
        pub fn new(_: std::path::PathBuf) -> Self {
            Self
        }
    }
}
pub mod memory {
    pub struct MemoryBudget;
    impl MemoryBudget {
        pub fn new(_: usize) -> Self {
            Self
        }
    }
}
