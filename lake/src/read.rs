//! Reading files: whole, their footers, or chosen columns and row groups.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::error::LakeError;
use crate::lake::Lake;
use crate::stamp::FileStamp;

/// How much of a file's end is fetched to find its footer; more is fetched when the footer is longer.
const FOOTER_GUESS_BYTES: u64 = 64 << 10;

impl Lake {
    /// The contents of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn read(&self, path: &str) -> Result<Bytes, LakeError> {
        let failed = |error| self.store_error(path, error);
        let found = self.store.get(&self.location(path)).await;
        found.map_err(failed)?.bytes().await.map_err(failed)
    }

    /// The rows of a file: choose columns, row groups and filters, then build the stream. Only what is chosen is fetched
    /// from the store.
    ///
    /// # Errors
    /// When the file cannot be read or is not Parquet.
    pub async fn rows(
        &self,
        path: &str,
    ) -> Result<ParquetRecordBatchStreamBuilder<LakeFile>, LakeError> {
        let file = LakeFile {
            lake: self.clone(),
            path: path.to_owned(),
        };
        ParquetRecordBatchStreamBuilder::new(file)
            .await
            .map_err(|error| match error {
                ParquetError::External(source) => match source.downcast::<LakeError>() {
                    Ok(error) => *error,
                    Err(error) => self.broken(path, ParquetError::External(error)),
                },
                error => self.broken(path, error),
            })
    }

    /// The stamp in a file's footer.
    ///
    /// # Errors
    /// When it cannot be read, or the file has none.
    pub async fn stamp(&self, path: &str) -> Result<FileStamp, LakeError> {
        let metadata = self.metadata(path).await?;
        FileStamp::from_metadata(&metadata).map_err(|reason| self.broken(path, reason))
    }

    /// The stamp of the newest file of one input partition in a layer; `None` when it has no file.
    ///
    /// # Errors
    /// When the lake cannot be listed or the file cannot be read.
    pub async fn newest_stamp(
        &self,
        layer: &str,
        topic: &str,
        partition: u32,
    ) -> Result<Option<FileStamp>, LakeError> {
        match self.newest(layer, topic, partition).await? {
            Some(file) => self.stamp(&file.path).await.map(Some),
            None => Ok(None),
        }
    }

    /// The Parquet metadata in a file's footer.
    ///
    /// # Errors
    /// When it cannot be read or is not Parquet.
    pub async fn metadata(&self, path: &str) -> Result<ParquetMetaData, LakeError> {
        let mut wanted = FOOTER_GUESS_BYTES;
        loop {
            let (tail, size) = self.tail(path, wanted).await?;
            let mut reader = ParquetMetaDataReader::new();
            match reader.try_parse_sized(&tail, size) {
                Ok(()) => {
                    return reader.finish().map_err(|error| self.broken(path, error));
                }
                Err(ParquetError::NeedMoreData(needed)) if (needed as u64) > wanted => {
                    wanted = needed as u64;
                }
                Err(error) => return Err(self.broken(path, error)),
            }
        }
    }

    /// The last `wanted` bytes of a file (all of it when it is shorter), and its size.
    async fn tail(&self, path: &str, wanted: u64) -> Result<(Bytes, u64), LakeError> {
        let failed = |error| self.store_error(path, error);
        let location = self.location(path);
        let size = self.store.head(&location).await.map_err(failed)?.size;
        let range = GetRange::Bounded(size.saturating_sub(wanted)..size);
        let options = GetOptions::default().with_range(Some(range));
        let found = self.store.get_opts(&location, options).await;
        let bytes = found.map_err(failed)?.bytes().await.map_err(failed)?;
        Ok((bytes, size))
    }
}

/// A file of the lake as the Parquet reader sees it; see [`Lake::rows`].
#[derive(Debug, Clone)]
pub struct LakeFile {
    lake: Lake,
    path: String,
}

impl LakeFile {
    fn failed(&self, error: object_store::Error) -> ParquetError {
        ParquetError::External(Box::new(self.lake.store_error(&self.path, error)))
    }
}

impl AsyncFileReader for LakeFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move {
            let location = self.lake.location(&self.path);
            let read = self.lake.store.get_range(&location, range).await;
            read.map_err(|error| self.failed(error))
        }
        .boxed()
    }

    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, Result<Vec<Bytes>, ParquetError>> {
        async move {
            let location = self.lake.location(&self.path);
            let read = self.lake.store.get_ranges(&location, &ranges).await;
            read.map_err(|error| self.failed(error))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>, ParquetError>> {
        async move {
            let metadata = self.lake.metadata(&self.path).await;
            metadata
                .map(Arc::new)
                .map_err(|error| ParquetError::External(Box::new(error)))
        }
        .boxed()
    }
}
