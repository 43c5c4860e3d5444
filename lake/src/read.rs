//! Reading rows back: only the columns and row groups that are asked for leave the store.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;

use crate::{Lake, LakeError};

/// A file of the lake, as the Parquet reader asks for its parts.
#[derive(Debug, Clone)]
pub struct LakeFile {
    lake: Lake,
    path: String,
}

impl Lake {
    /// The rows of a file: choose columns, row groups and filters, then build the stream.
    ///
    /// # Errors
    /// When the file cannot be read or is not Parquet.
    pub async fn rows(
        &self,
        path: &str,
    ) -> std::result::Result<ParquetRecordBatchStreamBuilder<LakeFile>, LakeError> {
        let file = LakeFile {
            lake: self.clone(),
            path: path.to_owned(),
        };
        ParquetRecordBatchStreamBuilder::new(file)
            .await
            .map_err(|error| match error {
                ParquetError::External(source) => match source.downcast::<LakeError>() {
                    Ok(error) => *error,
                    Err(error) => self.broken(path, &ParquetError::External(error)),
                },
                error => self.broken(path, &error),
            })
    }
}

impl AsyncFileReader for LakeFile {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move {
            let location = self.lake.at(&self.path);
            let read = self.lake.store.get_range(&location, range).await;
            read.map_err(|e| self.failed(e))
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let location = self.lake.at(&self.path);
            let read = self.lake.store.get_ranges(&location, &ranges).await;
            read.map_err(|e| self.failed(e))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let metadata = self.lake.metadata(&self.path).await;
            metadata
                .map(Arc::new)
                .map_err(|e| ParquetError::External(Box::new(e)))
        }
        .boxed()
    }
}

impl LakeFile {
    fn failed(&self, error: object_store::Error) -> ParquetError {
        ParquetError::External(Box::new(self.lake.error(&self.path, error)))
    }
}
