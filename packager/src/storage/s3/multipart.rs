//! Multipart uploads: an interrupted one continues with the parts that the journal lists.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::multipart::{MultipartStore as _, PartId};
use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _, PutMultipartOptions, PutPayload};

use super::{MIB, S3Store, attributes};
use crate::storage::concurrency::MAX_REQUESTS;
use crate::storage::error::StorageError;
use crate::storage::journal::{BegunUpload, Journal};
use crate::storage::object::{PutCondition, Upload};

/// Larger objects are uploaded in parts of this many bytes, which bounds each body in memory.
pub(super) const PART: u64 = 8 << 20;
/// S3 and R2 allow 10,000.
const MOST_PARTS: u64 = 9_000;
impl S3Store {
    pub(super) async fn put_multipart(
        &self,
        upload: &Upload,
        condition: &PutCondition,
        journal: &Journal,
    ) -> Result<bool, StorageError> {
        let there = self.head(&upload.path).await?;
        let holds = match condition {
            PutCondition::Any => true,
            PutCondition::Absent => there.is_none(),
            // Objects that may be replaced are small.
            PutCondition::Is(_) => false,
        };
        if !holds {
            return Ok(false);
        }
        let key = self.key(&upload.path)?;
        let taken_up = journal.find_upload(&upload.path);
        let was_taken_up = taken_up.is_some();
        let sent = match taken_up {
            Some(begun) => self.send_parts(upload, &key, begun, journal).await,
            None => self.begin(upload, &key, journal).await,
        };
        match sent {
            // The bucket removes unfinished uploads after some days.
            Err(StorageError::Bucket { .. } | StorageError::Nothing(_)) if was_taken_up => {
                self.begin(upload, &key, journal).await?;
            }
            sent => sent?,
        }
        Ok(true)
    }

    async fn begin(
        &self,
        upload: &Upload,
        key: &Path,
        journal: &Journal,
    ) -> Result<(), StorageError> {
        let id = self.repeated(&upload.path, async || {
            let options = PutMultipartOptions {
                attributes: attributes(upload),
                ..PutMultipartOptions::default()
            };
            self.store.create_multipart_opts(key, options).await
        });
        let id = id.await?.unwrap_or_default();
        let part = part_size(upload.bytes);
        journal.record_upload(&upload.path, &id, part);
        let begun = BegunUpload {
            id,
            part,
            parts: Default::default(),
        };
        self.send_parts(upload, key, begun, journal).await
    }

    /// Sends the parts that the journal does not list. An interrupted upload keeps the parts it
    /// has.
    async fn send_parts(
        &self,
        upload: &Upload,
        key: &Path,
        begun: BegunUpload,
        journal: &Journal,
    ) -> Result<(), StorageError> {
        let BegunUpload { id, part, parts } = begun;
        let slices: Vec<_> = (0_usize..).zip(upload.parts(part).await?).collect();
        let sent: Vec<PartId> = stream::iter(slices)
            .map(|(at, slice)| {
                let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
                let (id, known) = (&id, parts.get(&number).cloned());
                async move {
                    if let Some(content_id) = known {
                        return Ok(PartId { content_id });
                    }
                    let _room = self.room(slice.length).await;
                    let body = upload.read(&slice).await?;
                    let sent = self.repeated(&upload.path, async || {
                        let payload = PutPayload::from_bytes(body.clone());
                        self.store.put_part(key, id, at, payload).await
                    });
                    let sent = sent.await?.ok_or_else(|| lost_upload(upload))?;
                    journal.record_part(&upload.path, number, &sent.content_id);
                    Ok::<_, StorageError>(sent)
                }
            })
            .buffered(MAX_REQUESTS)
            .try_collect()
            .await?;
        let completed = self.repeated(&upload.path, async || {
            let completed = self.store.complete_multipart(key, &id, sent.clone()).await;
            match completed {
                // The upload was completed and its answer lost: the object exists, the upload does
                // not.
                Err(Error::NotFound { .. })
                    if self
                        .store
                        .head(key)
                        .await
                        .is_ok_and(|found| found.size == upload.bytes) =>
                {
                    Ok(())
                }
                completed => completed.map(drop),
            }
        });
        completed.await?.ok_or_else(|| lost_upload(upload))
    }
}

/// Returns the length of the parts: equal, whole mebibytes, at most [`MOST_PARTS`] of them.
fn part_size(bytes: u64) -> u64 {
    bytes.div_ceil(MOST_PARTS).div_ceil(MIB).max(PART / MIB) * MIB
}

fn lost_upload(upload: &Upload) -> StorageError {
    StorageError::Bucket {
        path: upload.path.clone(),
        why: "the upload in parts is gone".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_equal_whole_mebibytes_and_not_too_many() {
        for (bytes, expected) in [
            (PART + 1, PART),
            (2 << 30, PART),
            (100_000_000_000, 11 * MIB),
            (1 << 40, 117 * MIB),
        ] {
            let part = part_size(bytes);
            assert_eq!(part, expected, "{bytes}");
            assert!(bytes.div_ceil(part) <= MOST_PARTS, "{bytes}");
        }
    }
}
