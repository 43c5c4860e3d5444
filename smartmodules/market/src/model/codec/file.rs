//! The model file: everything that both kinds of model share.

use super::super::error::ModelError;
use super::super::info::ModelInfo;
use super::super::inputs::{INPUTS, Inputs};
use crate::rows::FEATURES_VERSION;

const MAGIC: [u8; 8] = *b"CL-MODEL";
const FORMAT: u16 = 2;
/// The format from before features had versions.
const FORMAT_OF_FEATURES_1: u16 = 1;
pub(super) const CHECKSUM_BYTES: usize = 4;

pub(super) const TOO_SHORT: ModelError = ModelError::Damaged("it ends too early");
pub(super) const TOO_LONG: ModelError = ModelError::Damaged("there are bytes after its end");

/// The kinds of model, as the file numbers them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Forest = 1,
    Logistic = 2,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Forest => "forest",
            Self::Logistic => "logistic regression",
        }
    }
}

/// Writes a model file.
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Writes everything up to the model's numbers.
    pub(super) fn start(kind: Kind, info: &ModelInfo) -> Self {
        let mut writer = Self {
            out: MAGIC.to_vec(),
        };
        writer.bytes(&FORMAT.to_le_bytes());
        writer.bytes(&[kind as u8]);
        writer.u32(info.features_version);
        writer.bytes(&[INPUTS.len() as u8]);
        for name in INPUTS {
            writer.text(name);
        }
        writer.text(&info.name);
        writer.u32(info.version);
        writer.text(&info.run);
        writer.numbers(&info.fill);
        writer.bytes(&info.trained_from_ms.to_le_bytes());
        writer.bytes(&info.trained_to_ms.to_le_bytes());
        writer.bytes(&info.rows.to_le_bytes());
        writer.numbers(&[info.threshold]);
        writer
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    pub(super) fn numbers(&mut self, numbers: &[f64]) {
        for number in numbers {
            self.bytes(&number.to_le_bytes());
        }
    }

    /// A text after its length; cut if the length does not fit two bytes.
    fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
        self.bytes(&(text.len() as u16).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    /// Appends the checksum.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.u32(crc32fast::hash(&self.out));
        self.out
    }
}

/// Reads a model file.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Checks the file and reads everything up to the model's numbers.
    pub(super) fn start(file: &'a [u8], wanted: Kind) -> Result<(ModelInfo, Self), ModelError> {
        let rest = file.strip_prefix(&MAGIC).ok_or(ModelError::NotAModel)?;
        let mut reader = Self { rest };
        let format = u16::from_le_bytes(reader.array()?);
        let other_features = |found| {
            Err(ModelError::OtherFeatures {
                found,
                known: FEATURES_VERSION,
            })
        };
        match format {
            FORMAT => {}
            FORMAT_OF_FEATURES_1 => return other_features(1),
            found => {
                let known = FORMAT;
                return Err(ModelError::Newer { found, known });
            }
        }
        let (sound, checksum) = file.split_last_chunk().ok_or(TOO_SHORT)?;
        if crc32fast::hash(sound) != u32::from_le_bytes(*checksum) {
            return Err(ModelError::Damaged("its checksum does not match"));
        }
        let end = reader.rest.len().checked_sub(CHECKSUM_BYTES);
        reader.rest = &reader.rest[..end.ok_or(TOO_SHORT)?];

        let kind = match reader.array()? {
            [1] => Kind::Forest,
            [2] => Kind::Logistic,
            _ => return Err(ModelError::Damaged("its kind is unknown")),
        };
        if kind != wanted {
            return Err(ModelError::OtherKind {
                found: kind.name(),
                wanted: wanted.name(),
            });
        }
        let features_version = reader.u32()?;
        if features_version != FEATURES_VERSION {
            return other_features(features_version);
        }
        let [count] = reader.array()?;
        let names = (0..count)
            .map(|_| reader.text())
            .collect::<Result<Vec<_>, _>>()?;
        if names != INPUTS {
            return Err(ModelError::OtherInputs { found: names });
        }
        let info = ModelInfo {
            name: reader.text()?,
            version: reader.u32()?,
            run: reader.text()?,
            features_version,
            fill: reader.inputs()?,
            trained_from_ms: i64::from_le_bytes(reader.array()?),
            trained_to_ms: i64::from_le_bytes(reader.array()?),
            rows: u64::from_le_bytes(reader.array()?),
            threshold: reader.f64()?,
        };
        Ok((info, reader))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(TOO_SHORT)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ModelError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn f64(&mut self) -> Result<f64, ModelError> {
        self.array().map(f64::from_le_bytes)
    }

    pub(super) fn inputs(&mut self) -> Result<Inputs, ModelError> {
        let mut inputs = [0.0; INPUTS.len()];
        for input in &mut inputs {
            *input = self.f64()?;
        }
        Ok(inputs)
    }

    fn text(&mut self) -> Result<String, ModelError> {
        let len = usize::from(u16::from_le_bytes(self.array()?));
        let (text, rest) = self.rest.split_at_checked(len).ok_or(TOO_SHORT)?;
        self.rest = rest;
        let text = std::str::from_utf8(text);
        Ok(text
            .map_err(|_| ModelError::Damaged("a name is not text"))?
            .to_owned())
    }
}
