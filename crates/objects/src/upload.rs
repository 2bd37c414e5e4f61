// SPDX-License-Identifier: Apache-2.0
//! An object that is put in parts. The client tries each part again by itself.

use std::io;

use dstreams_wal::Upload;
use object_store::MultipartUpload;

use crate::{
    error::{shown, to_io},
    runtime::{detach, wait},
};

pub(crate) struct ObjectUpload {
    /// None once it has ended, one way or the other.
    upload: Option<Box<dyn MultipartUpload>>,
}

impl ObjectUpload {
    pub(crate) fn new(upload: Box<dyn MultipartUpload>) -> Self {
        Self { upload: Some(upload) }
    }

    fn taken(&mut self) -> io::Result<Box<dyn MultipartUpload>> {
        self.upload.take().ok_or_else(|| io::Error::other("a part before has failed"))
    }
}

impl Upload for ObjectUpload {
    fn part(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        let part = self.upload.as_mut().map(|upload| upload.put_part(bytes.into()));
        wait(part.ok_or_else(|| io::Error::other("the upload has ended"))?)?.map_err(to_io)
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        let mut upload = self.taken()?;
        let (upload, outcome) = wait(async move {
            let outcome = upload.complete().await;
            (upload, outcome)
        })?;
        if outcome.is_err() {
            self.upload = Some(upload);
        }
        outcome.map(drop).map_err(to_io)
    }
}

impl Drop for ObjectUpload {
    fn drop(&mut self) {
        if let Some(mut upload) = self.upload.take() {
            // Parts that belong to nothing cost money where the bucket does not expire them.
            detach(async move {
                if let Err(error) = upload.abort().await {
                    tracing::debug!("the parts of an upload that was given up may stay: {}", shown(&error));
                }
            });
        }
    }
}
