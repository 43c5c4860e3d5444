//! Chains of SmartModules: finding them, compiling them, running batches through them.
//!
//! A chain belongs to one stream or one produce request and keeps its modules' state as long as that lasts. Compiling
//! takes a fraction of a second and runs on a blocking thread, as everything that calls into WASM does. (The engine
//! compiles from bytes every time and lets nobody keep what it made, so there is nothing to cache.)

use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use flate2::read::GzDecoder;
use fluvio_protocol::Decoder;
use fluvio_protocol::link::ErrorCode;
use fluvio_protocol::link::smartmodule::SmartModuleTransformRuntimeError;
use fluvio_protocol::record::Record;
use fluvio_sc_schema::smartmodule::SmartModulePackageKey;
use fluvio_smartengine::{
    EngineError, Lookback, SmartModuleChainBuilder, SmartModuleChainInstance, SmartModuleConfig,
    SmartModuleInitialData,
};
use fluvio_smartmodule::dataplane::smartmodule::SmartModuleInput;
use fluvio_spu_schema::server::smartmodule::{
    SmartModuleContextData, SmartModuleInvocation, SmartModuleInvocationWasm, SmartModuleKind,
};

use crate::chain_times;
use crate::log::batch::{self, BatchBuilder, BatchError};
use crate::log::{Cursor, Partition};
use crate::meters::ChainMeters;
use crate::shared::Shared;

/// A module that unpacks to more is refused.
const WASM_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Look-backs that would read more are refused.
const LOOK_BACK_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Memory of all modules of a chain together.
const MODULE_MEMORY_BYTES_MAX: usize = 1_000_000_000;

/// The modules of one stream, ready to run.
#[derive(Debug)]
pub struct Chain {
    instance: SmartModuleChainInstance,
    meters: ChainMeters,
}

/// What a chain made of some batches.
#[derive(Debug)]
pub struct Processed {
    /// One wire batch that covers the offsets it was made from; `None` when there is nothing to send.
    pub batch: Option<Vec<u8>>,
    /// The offset after the last record that went in.
    pub next_offset: i64,
    /// What a module complained about; the records before it are in the batch.
    pub error: Option<SmartModuleTransformRuntimeError>,
}

/// Takes named modules from the registry; the wasm of each is left as it was sent, compressed.
pub fn resolve(
    broker: &Shared,
    invocations: Vec<SmartModuleInvocation>,
) -> Result<Vec<SmartModuleInvocation>, ErrorCode> {
    invocations
        .into_iter()
        .map(|invocation| resolve_one(broker, invocation))
        .collect()
}

fn resolve_one(
    broker: &Shared,
    invocation: SmartModuleInvocation,
) -> Result<SmartModuleInvocation, ErrorCode> {
    let SmartModuleInvocationWasm::Predefined(name) = invocation.wasm else {
        return Ok(invocation);
    };
    let key = SmartModulePackageKey::from_qualified_name(&name).map_err(|error| {
        ErrorCode::SmartModuleInvalid {
            error: error.to_string(),
            name: Some(name.clone()),
        }
    })?;
    let module = broker.smart_modules.get(&key.store_id()).or_else(|| {
        let all = broker.smart_modules.all();
        all.into_iter().find(|module| {
            let package = module.spec.meta.as_ref().map(|meta| &meta.package);
            key.is_match(&module.name, package)
        })
    });
    let Some(module) = module else {
        return Err(ErrorCode::SmartModuleNotFound { name });
    };
    Ok(SmartModuleInvocation {
        wasm: SmartModuleInvocationWasm::AdHoc(module.spec.wasm.payload.to_vec()),
        name: Some(name),
        ..invocation
    })
}

impl Chain {
    /// Compiles modules, initializes them and shows them what they look back to. Blocks.
    pub fn open(
        broker: &Shared,
        invocations: Vec<SmartModuleInvocation>,
        version: i16,
        partition: &Partition,
    ) -> Result<Self, ErrorCode> {
        let started = Instant::now();
        let name = chain_times::name(&invocations);
        let meters = ChainMeters::new(name, broker.chain_times.clone());
        let mut builder = SmartModuleChainBuilder::default();
        builder.set_store_memory_limit(MODULE_MEMORY_BYTES_MAX);
        for invocation in invocations {
            let (config, wasm) = module_config(invocation, version)?;
            builder.add_smart_module(config, wasm);
        }
        let mut instance =
            builder
                .initialize(&broker.engine)
                .map_err(|error| match error.downcast_ref() {
                    Some(EngineError::StoreMemoryExceeded { requested, max, .. }) => {
                        ErrorCode::SmartModuleMemoryLimitExceeded {
                            requested: *requested as u64,
                            max: *max as u64,
                        }
                    }
                    _ => ErrorCode::SmartModuleChainInitError(format!("{error:#}")),
                })?;
        meters.opened(started.elapsed());
        // look_back is async for the reader's sake only; ours is ready at once.
        let look_back = instance
            .look_back(|look_back| std::future::ready(records_back(partition, look_back, version)));
        futures_util::FutureExt::now_or_never(look_back)
            .unwrap_or_else(|| {
                Err(anyhow::anyhow!(
                    "the engine waited for something else than records"
                ))
            })
            .map_err(|error| ErrorCode::SmartModuleLookBackError(error.root_cause().to_string()))?;
        Ok(Self { instance, meters })
    }

    /// Runs wire batches through the modules from offset `from` on, until they are all done or `bytes_max` have come out.
    /// Blocks.
    pub fn process(
        &mut self,
        batches: &[u8],
        from: i64,
        bytes_max: usize,
    ) -> Result<Processed, ErrorCode> {
        let mut out = BatchBuilder::new();
        let mut next_offset = from;
        let mut error = None;
        for batch in batch::headers(batches) {
            let (header, range) = batch.map_err(storage_error)?;
            if header.next_offset() <= from {
                continue;
            }
            let records = header
                .records_bytes(&batches[range])
                .map_err(storage_error)?;
            let count = header.next_offset() - header.base_offset.max(from);
            let records = if header.base_offset < from {
                batch::records_from(&records, header.base_offset, from).map_err(storage_error)?
            } else {
                records.into_owned()
            };
            let input = SmartModuleInput::new(records, header.base_offset, header.first_timestamp);
            let output = self.run(input, count)?;
            output.successes.iter().for_each(|record| out.push(record));
            next_offset = header.next_offset();
            error = output.error;
            if error.is_some() || out.len() >= bytes_max {
                break;
            }
        }
        let covered = i32::try_from(next_offset - from).unwrap_or(i32::MAX);
        let send = covered > 0 && (error.is_none() || out.count() > 0);
        Ok(Processed {
            batch: send.then(|| out.finish(from, covered - 1, -1)),
            next_offset,
            error,
        })
    }

    /// As an SPU does it: see [`crate::Faults::careless_modules`]. Blocks.
    pub fn process_carelessly(
        &mut self,
        batches: &[u8],
        end_offset: i64,
        bytes_max: usize,
    ) -> Result<Processed, ErrorCode> {
        let mut out = BatchBuilder::new();
        let mut base_offset = None;
        let mut covered = 0;
        let mut error = None;
        for batch in batch::headers(batches) {
            let (header, range) = batch.map_err(storage_error)?;
            let records = header
                .records_bytes(&batches[range])
                .map_err(storage_error)?
                .into_owned();
            let input = SmartModuleInput::new(records, header.base_offset, header.first_timestamp);
            let output = self.run(input, header.records())?;
            if !output.successes.is_empty() {
                let mut alone = BatchBuilder::new();
                output
                    .successes
                    .iter()
                    .for_each(|record| alone.push(record));
                if out.len() + alone.len() > bytes_max {
                    break;
                }
                base_offset.get_or_insert(header.base_offset);
                output.successes.iter().for_each(|record| out.push(record));
            }
            if base_offset.is_some() {
                covered += header.last_offset_delta + 1;
            }
            error = output.error;
            if error.is_some() {
                break;
            }
        }
        Ok(match base_offset {
            Some(base_offset) => Processed {
                batch: Some(out.finish(base_offset, covered - 1, -1)),
                next_offset: base_offset + i64::from(covered),
                error,
            },
            None => Processed {
                batch: None,
                next_offset: end_offset,
                error,
            },
        })
    }

    /// Runs a produce request's batches through the modules: the one batch to write, or `None` when nothing is left.
    /// Blocks.
    pub fn process_produced(&mut self, batches: &[u8]) -> Result<Option<Vec<u8>>, ErrorCode> {
        let mut out = BatchBuilder::new();
        let mut first_timestamp = None;
        for batch in batch::headers(batches) {
            let (header, range) = batch.map_err(|error| ErrorCode::Other(error.to_string()))?;
            let records = header
                .records_bytes(&batches[range])
                .map_err(|error| ErrorCode::Other(error.to_string()))?;
            let input = SmartModuleInput::new(
                records.into_owned(),
                header.base_offset,
                header.first_timestamp,
            );
            first_timestamp.get_or_insert(header.first_timestamp);
            let output = self.run(input, header.records())?;
            if let Some(error) = output.error {
                return Err(ErrorCode::SmartModuleRuntimeError(Box::new(error)));
            }
            output.successes.iter().for_each(|record| out.push(record));
        }
        let count = out.count();
        Ok((count > 0).then(|| out.finish(0, count - 1, first_timestamp.unwrap_or(-1))))
    }

    fn run(
        &mut self,
        input: SmartModuleInput,
        records: i64,
    ) -> Result<fluvio_smartmodule::dataplane::smartmodule::SmartModuleOutput, ErrorCode> {
        let started = Instant::now();
        let output = self.instance.process(input);
        let failed = !matches!(&output, Ok(output) if output.error.is_none());
        self.meters.processed(records, started.elapsed(), failed);
        output.map_err(|error| ErrorCode::Other(format!("SmartModule err {error:#}")))
    }
}

fn module_config(
    invocation: SmartModuleInvocation,
    version: i16,
) -> Result<(SmartModuleConfig, Vec<u8>), ErrorCode> {
    let name = invocation.name.clone();
    let invalid = |error: String| ErrorCode::SmartModuleInvalid {
        error,
        name: name.clone(),
    };
    let SmartModuleInvocationWasm::AdHoc(packed) = &invocation.wasm else {
        return Err(invalid("a named module must be looked up first".into()));
    };
    let mut wasm = Vec::new();
    let unpacked = GzDecoder::new(packed.as_slice())
        .take(WASM_BYTES_MAX + 1)
        .read_to_end(&mut wasm);
    unpacked.map_err(|error| invalid(format!("not gzip: {error}")))?;
    if wasm.len() as u64 > WASM_BYTES_MAX {
        return Err(invalid(format!(
            "it unpacks to more than {WASM_BYTES_MAX} bytes"
        )));
    }
    let initial_data = match invocation.kind {
        SmartModuleKind::Aggregate { accumulator }
        | SmartModuleKind::Generic(SmartModuleContextData::Aggregate { accumulator }) => {
            SmartModuleInitialData::with_aggregate(accumulator)
        }
        _ => SmartModuleInitialData::None,
    };
    let config = SmartModuleConfig::builder()
        .smartmodule_names(vec![invocation.name.unwrap_or_default()])
        .lookback(invocation.params.lookback().map(Into::into))
        .params(invocation.params)
        .version(version)
        .initial_data(initial_data)
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    Ok((config, wasm))
}

/// The topic's newest records, from the end of the log back.
fn records_back(
    partition: &Partition,
    look_back: Lookback,
    version: i16,
) -> anyhow::Result<Vec<Record>> {
    let end_offset = partition.end_offset();
    let last_from = |last: u64| end_offset.saturating_sub(i64::try_from(last).unwrap_or(i64::MAX));
    let (from, since_ms) = match look_back {
        Lookback::Last(last) => (last_from(last), i64::MIN),
        Lookback::Age { age, last } => {
            let since_ms =
                now_ms().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
            let from = if last > 0 {
                last_from(last)
            } else {
                partition.offset_since(since_ms)?
            };
            (from, since_ms)
        }
    };
    let mut next = from.max(partition.start_offset());
    let mut cursor = Cursor::default();
    let mut bytes_left = LOOK_BACK_BYTES_MAX;
    let mut records = Vec::new();
    while next < end_offset {
        let read = partition.read(&mut cursor, next, 4 * 1024 * 1024)?;
        bytes_left = bytes_left.checked_sub(read.bytes.len()).ok_or_else(|| {
            anyhow::anyhow!("looking back would read more than {LOOK_BACK_BYTES_MAX} bytes")
        })?;
        for batch in batch::headers(&read.bytes) {
            let (header, range) = batch?;
            let bytes = header.records_bytes(&read.bytes[range])?;
            for record in Vec::<Record>::decode_from(&mut bytes.as_ref(), version)? {
                let offset = header.base_offset + record.get_header().offset_delta();
                let timestamp = header.first_timestamp + record.get_header().get_timestamp_delta();
                if offset >= from && timestamp >= since_ms {
                    records.push(record);
                }
            }
        }
        next = read.next_offset;
    }
    Ok(records)
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn storage_error(error: BatchError) -> ErrorCode {
    tracing::error!("a batch in the log: {error}");
    ErrorCode::StorageError
}
