//! Reading files: whole, their footers, or chosen columns and row groups.

use std::fs::File;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::error::LakeError;
use crate::lake::Lake;

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

    /// The contents of a file; `None` when there is none of that name.
    pub(crate) async fn read_if_there(&self, path: &str) -> Result<Option<Bytes>, LakeError> {
        let failed = |error| self.store_error(path, error);
        match self.store.get(&self.location(path)).await {
            Ok(found) => found.bytes().await.map(Some).map_err(failed),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Copies a file into a local one.
    ///
    /// # Errors
    /// [`LakeError::Gone`] when there is none of that name, and when it cannot be read or written.
    pub(crate) async fn copy_to(&self, path: &str, file: &mut File) -> Result<(), LakeError> {
        let failed = |error| self.read_error(path, error);
        let found = self.store.get(&self.location(path)).await.map_err(failed)?;
        let mut contents = found.into_stream();
        while let Some(part) = contents.try_next().await.map_err(failed)? {
            file.write_all(&part)
                .map_err(|error| self.temporary_error(&error))?;
        }
        Ok(())
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
        self.open_rows(path, None).await
    }

    /// As [`Lake::rows`], of a file whose size is known, which saves a request to the store.
    ///
    /// # Errors
    /// As [`Lake::rows`].
    pub async fn rows_sized(
        &self,
        path: &str,
        bytes: u64,
    ) -> Result<ParquetRecordBatchStreamBuilder<LakeFile>, LakeError> {
        self.open_rows(path, Some(bytes)).await
    }

    async fn open_rows(
        &self,
        path: &str,
        size: Option<u64>,
    ) -> Result<ParquetRecordBatchStreamBuilder<LakeFile>, LakeError> {
        let file = LakeFile {
            lake: self.clone(),
            path: path.to_owned(),
            size,
            tail: None,
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

    /// The Parquet metadata in a file's footer.
    ///
    /// # Errors
    /// When it cannot be read or is not Parquet.
    pub async fn metadata(&self, path: &str) -> Result<ParquetMetaData, LakeError> {
        let (metadata, _) = self.footer(path, None).await?;
        Ok(metadata)
    }

    /// The Parquet metadata in a file's footer, and the part of the file that was fetched for it.
    async fn footer(
        &self,
        path: &str,
        size: Option<u64>,
    ) -> Result<(ParquetMetaData, Tail), LakeError> {
        let mut wanted = FOOTER_GUESS_BYTES;
        loop {
            let tail = self.tail(path, size, wanted).await?;
            let mut reader = ParquetMetaDataReader::new();
            match reader.try_parse_sized(&tail.bytes, tail.end()) {
                Ok(()) => {
                    let metadata = reader.finish();
                    let metadata = metadata.map_err(|error| self.broken(path, error))?;
                    return Ok((metadata, tail));
                }
                Err(ParquetError::NeedMoreData(needed)) if (needed as u64) > wanted => {
                    wanted = needed as u64;
                }
                Err(error) => return Err(self.broken(path, error)),
            }
        }
    }

    /// The last `wanted` bytes of a file, all of it when it is shorter.
    async fn tail(&self, path: &str, size: Option<u64>, wanted: u64) -> Result<Tail, LakeError> {
        let failed = |error| self.read_error(path, error);
        let location = self.location(path);
        let size = match size {
            Some(size) => size,
            None => self.store.head(&location).await.map_err(failed)?.size,
        };
        let begin = size.saturating_sub(wanted);
        let range = GetRange::Bounded(begin..size);
        let options = GetOptions::default().with_range(Some(range));
        let found = self.store.get_opts(&location, options).await;
        let bytes = found.map_err(failed)?.bytes().await.map_err(failed)?;
        Ok(Tail { begin, bytes })
    }

    /// A file that an entry names and that is not there was removed meanwhile.
    fn read_error(&self, path: &str, error: object_store::Error) -> LakeError {
        match error {
            object_store::Error::NotFound { .. } => LakeError::Gone {
                path: path.to_owned(),
            },
            error => self.store_error(path, error),
        }
    }
}

/// The end of a file.
#[derive(Debug, Clone)]
struct Tail {
    /// Where it begins in the file.
    begin: u64,
    bytes: Bytes,
}

impl Tail {
    /// Where the file ends.
    fn end(&self) -> u64 {
        self.begin + self.bytes.len() as u64
    }

    /// A part of the file, if it is in the tail.
    fn part(&self, range: &Range<u64>) -> Option<Bytes> {
        let begin = usize::try_from(range.start.checked_sub(self.begin)?).ok()?;
        let length = usize::try_from(range.end.checked_sub(range.start)?).ok()?;
        let end = begin.checked_add(length)?;
        (end <= self.bytes.len()).then(|| self.bytes.slice(begin..end))
    }
}

/// A file of the lake as the Parquet reader sees it; see [`Lake::rows`].
#[derive(Debug, Clone)]
pub struct LakeFile {
    lake: Lake,
    path: String,
    /// Its size, where that is known.
    size: Option<u64>,
    /// What was fetched to find the footer: all of a small file.
    tail: Option<Tail>,
}

impl LakeFile {
    fn in_tail(&self, range: &Range<u64>) -> Option<Bytes> {
        self.tail.as_ref()?.part(range)
    }

    fn failed(&self, error: object_store::Error) -> ParquetError {
        ParquetError::External(Box::new(self.lake.read_error(&self.path, error)))
    }
}

impl AsyncFileReader for LakeFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ParquetError>> {
        async move {
            if let Some(part) = self.in_tail(&range) {
                return Ok(part);
            }
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
            let parts = ranges.iter().map(|range| self.in_tail(range));
            if let Some(parts) = parts.collect() {
                return Ok(parts);
            }
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
            let footer = self.lake.footer(&self.path, self.size).await;
            let (metadata, tail) =
                footer.map_err(|error| ParquetError::External(Box::new(error)))?;
            self.tail = Some(tail);
            Ok(Arc::new(metadata))
        }
        .boxed()
    }
}
