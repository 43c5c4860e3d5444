//! How models are kept: one file each, to the bit what was trained.
//!
//! ```text
//! magic    8 bytes   "CL-MODEL"
//! format   u16       raised when what follows changes; read before anything else
//! kind     u8        1 a forest, 2 a logistic regression
//! body               the inputs' names, the info, the numbers
//! checksum u32       CRC-32 of everything before it
//! ```
//!
//! Numbers are little-endian; a text has its length before it. A forest's nodes are packed to bits, in preorder: a split
//! is 0, 4 bits of input, 8 of edge; a leaf is 1 and its 16 bits. So 100 trees of 2,800 nodes take about 530 KB, which
//! a SmartModule, 1 MB in Kubernetes, has room for.

use super::{Forest, INPUTS, Inputs, Logistic, ModelError, ModelInfo, Node};

const MAGIC: [u8; 8] = *b"CL-MODEL";
const FORMAT: u16 = 1;
const CHECKSUM_BYTES: usize = 4;

/// What kinds of model there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
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

impl Forest {
    /// The model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::start(Kind::Forest, &self.info);
        for edges in self.edges() {
            // At most 255.
            out.bytes(&[edges.len() as u8]);
            out.numbers(edges);
        }
        out.u32(self.trees().len() as u32);
        let mut bits = BitWriter::default();
        for node in self.trees().iter().flatten() {
            match *node {
                Node::Split { feature, bin } => {
                    bits.put(u32::from(feature) << 1 | u32::from(bin) << 5, 13);
                }
                Node::Leaf { q } => bits.put(1 | u32::from(q) << 1, 17),
            }
        }
        out.bytes(&bits.finish());
        out.finish()
    }

    /// Reads a model file.
    ///
    /// # Errors
    ///
    /// When it is no sound forest of this version.
    pub fn from_bytes(file: &[u8]) -> Result<Self, ModelError> {
        let (info, mut body) = Reader::start(file, Kind::Forest)?;
        let mut edges: [Vec<f64>; INPUTS.len()] = Default::default();
        for edges in &mut edges {
            let count = body.array::<1>()?[0];
            *edges = (0..count).map(|_| body.f64()).collect::<Result<_, _>>()?;
        }
        let count = body.u32()?;
        let mut bits = BitReader::new(body.rest);
        let trees = (0..count)
            .map(|_| read_tree(&mut bits))
            .collect::<Result<_, _>>()?;
        if !bits.is_used_up() {
            return Err(TOO_LONG);
        }
        Self::new(info, edges, trees)
    }
}

/// A tree ends with its last leaf.
fn read_tree(bits: &mut BitReader<'_>) -> Result<Vec<Node>, ModelError> {
    let mut nodes = Vec::new();
    let mut due = 1_usize;
    while due > 0 {
        let node = match bits.take(1)? {
            0 => Node::Split {
                feature: bits.take(4)? as u8,
                bin: bits.take(8)? as u8,
            },
            _ => Node::Leaf {
                q: bits.take(16)? as u16,
            },
        };
        match node {
            Node::Split { .. } => due += 1,
            Node::Leaf { .. } => due -= 1,
        }
        nodes.push(node);
    }
    Ok(nodes)
}

impl Logistic {
    /// The model file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::start(Kind::Logistic, &self.info);
        out.numbers(self.mean());
        out.numbers(self.scale());
        out.numbers(self.weights());
        out.numbers(&[self.intercept()]);
        out.finish()
    }

    /// Reads a model file.
    ///
    /// # Errors
    ///
    /// When it is no sound logistic regression of this version.
    pub fn from_bytes(file: &[u8]) -> Result<Self, ModelError> {
        let (info, mut body) = Reader::start(file, Kind::Logistic)?;
        let (mean, scale, weights) = (body.inputs()?, body.inputs()?, body.inputs()?);
        let intercept = body.f64()?;
        if !body.rest.is_empty() {
            return Err(TOO_LONG);
        }
        Self::new(info, mean, scale, weights, intercept)
    }
}

const TOO_SHORT: ModelError = ModelError::Damaged("it ends too early");
const TOO_LONG: ModelError = ModelError::Damaged("it goes on after its end");

struct Writer {
    out: Vec<u8>,
}

impl Writer {
    fn start(kind: Kind, info: &ModelInfo) -> Self {
        let mut writer = Self {
            out: MAGIC.to_vec(),
        };
        writer.bytes(&FORMAT.to_le_bytes());
        writer.bytes(&[kind as u8, INPUTS.len() as u8]);
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

    fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    fn numbers(&mut self, numbers: &[f64]) {
        for number in numbers {
            self.bytes(&number.to_le_bytes());
        }
    }

    /// Cut where its length no longer fits two bytes.
    fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
        self.bytes(&(text.len() as u16).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    fn finish(mut self) -> Vec<u8> {
        self.u32(crc32fast::hash(&self.out));
        self.out
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads up to where the numbers begin.
    fn start(file: &'a [u8], wanted: Kind) -> Result<(ModelInfo, Self), ModelError> {
        let rest = file.strip_prefix(&MAGIC).ok_or(ModelError::NotAModel)?;
        let mut reader = Self { rest };
        let format = u16::from_le_bytes(reader.array()?);
        if format != FORMAT {
            return Err(ModelError::Newer {
                found: format,
                known: FORMAT,
            });
        }
        let (sound, checksum) = file.split_last_chunk().ok_or(TOO_SHORT)?;
        if crc32fast::hash(sound) != u32::from_le_bytes(*checksum) {
            return Err(ModelError::Damaged("its checksum is another"));
        }
        let end = reader.rest.len().checked_sub(CHECKSUM_BYTES);
        reader.rest = &reader.rest[..end.ok_or(TOO_SHORT)?];

        let kind = match reader.array()? {
            [1] => Kind::Forest,
            [2] => Kind::Logistic,
            _ => return Err(ModelError::Damaged("it is of no known kind")),
        };
        if kind != wanted {
            return Err(ModelError::OtherKind {
                found: kind.name(),
                wanted: wanted.name(),
            });
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
            fill: reader.inputs()?,
            trained_from_ms: i64::from_le_bytes(reader.array()?),
            trained_to_ms: i64::from_le_bytes(reader.array()?),
            rows: u64::from_le_bytes(reader.array()?),
            threshold: reader.f64()?,
        };
        Ok((info, reader))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(TOO_SHORT)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, ModelError> {
        self.array().map(u32::from_le_bytes)
    }

    fn f64(&mut self) -> Result<f64, ModelError> {
        self.array().map(f64::from_le_bytes)
    }

    fn inputs(&mut self) -> Result<Inputs, ModelError> {
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

/// Bits from the lowest of the first byte on.
#[derive(Default)]
struct BitWriter {
    out: Vec<u8>,
    bits: u64,
    count: u32,
}

impl BitWriter {
    /// Up to 32 of them; those above `count` must be 0.
    fn put(&mut self, bits: u32, count: u32) {
        self.bits |= u64::from(bits) << self.count;
        self.count += count;
        while self.count >= 8 {
            self.out.push(self.bits as u8);
            self.bits >>= 8;
            self.count -= 8;
        }
    }

    fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.out.push(self.bits as u8);
        }
        self.out
    }
}

struct BitReader<'a> {
    rest: &'a [u8],
    bits: u64,
    count: u32,
}

impl<'a> BitReader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            bits: 0,
            count: 0,
        }
    }

    /// Up to 32 of them.
    fn take(&mut self, count: u32) -> Result<u32, ModelError> {
        while self.count < count {
            let (&byte, rest) = self.rest.split_first().ok_or(TOO_SHORT)?;
            self.rest = rest;
            self.bits |= u64::from(byte) << self.count;
            self.count += 8;
        }
        let taken = self.bits & ((1 << count) - 1);
        self.bits >>= count;
        self.count -= count;
        Ok(taken as u32)
    }

    /// Whether nothing but the zeros that fill the last byte is left.
    fn is_used_up(&self) -> bool {
        self.rest.is_empty() && self.bits == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{a_logistic, forest, info, logistic};
    use super::*;

    proptest! {
        #![proptest_config(crate::proptest_config(200))]

        #[test]
        fn a_forest_comes_back_as_it_was(forest in forest()) {
            let file = forest.to_bytes();
            prop_assert_eq!(Forest::from_bytes(&file), Ok(forest));
        }

        #[test]
        fn a_logistic_regression_comes_back_as_it_was(logistic in logistic()) {
            let file = logistic.to_bytes();
            prop_assert_eq!(Logistic::from_bytes(&file), Ok(logistic));
        }

        /// One changed, lost or added byte, wherever it is, is noticed.
        #[test]
        fn damage_is_noticed(
            forest in forest(),
            at: prop::sample::Index,
            how in 0..3_u8,
            change in 1..=255_u8,
        ) {
            let mut file = forest.to_bytes();
            let at = at.index(file.len());
            match how {
                0 => file[at] ^= change,
                1 => file.truncate(at),
                _ => file.insert(at, file[at] ^ change),
            }
            prop_assert!(Forest::from_bytes(&file).is_err());
        }

        #[test]
        fn bits_come_back(parts in prop::collection::vec((any::<u32>(), 0..=32_u32), 0..100)) {
            let masked = |(bits, count): (u32, u32)| (u64::from(bits) & ((1 << count) - 1)) as u32;
            let mut writer = BitWriter::default();
            for &part in &parts {
                writer.put(masked(part), part.1);
            }
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for &part in &parts {
                prop_assert_eq!(reader.take(part.1), Ok(masked(part)));
            }
            prop_assert!(reader.is_used_up());
        }
    }

    /// With a right checksum.
    fn changed(mut file: Vec<u8>, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        file.truncate(file.len() - CHECKSUM_BYTES);
        change(&mut file);
        file.extend(crc32fast::hash(&file).to_le_bytes());
        file
    }

    #[test]
    fn what_cannot_be_read_gets_a_sentence() {
        let file = a_logistic(0).to_bytes();
        let said = |file: &[u8]| Logistic::from_bytes(file).unwrap_err().to_string();
        assert_eq!(
            said(b"PAR1"),
            "this is not a model of Coinlake's: give a file that `coinlake train` made"
        );
        assert_eq!(
            said(&changed(file.clone(), |file| file[8] = 2)),
            "the model is of format 2, this version of Coinlake reads format 1: use the version that trained it, or \
             train it anew with this one"
        );
        let mut damaged = file.clone();
        damaged[40] ^= 1;
        assert_eq!(
            said(&damaged),
            "the model is damaged (its checksum is another): take it from the registry again, or train it anew"
        );
        assert_eq!(
            said(&changed(file.clone(), |file| file.push(0))),
            "the model is damaged (it goes on after its end): take it from the registry again, or train it anew"
        );
        assert_eq!(
            said(&changed(file.clone(), |file| file.truncate(file.len() - 1))),
            "the model is damaged (it ends too early): take it from the registry again, or train it anew"
        );
        assert_eq!(
            Forest::from_bytes(&file).unwrap_err().to_string(),
            "this is a logistic regression, a forest is wanted"
        );
        let other = changed(file, |file| {
            let at = file.windows(9).position(|name| name == b"return_1m");
            file[at.unwrap() + 7] = b'2';
        });
        assert!(
            said(&other)
                .starts_with("the model was trained on other inputs (return_2m, return_5m, ")
        );
        assert!(said(&other).ends_with(
            "this version of Coinlake has return_1m, return_5m, return_15m, volatility_5m, volatility_15m, \
             price_to_ma_5m, price_to_ma_15m, zscore_15m, volume_ratio, volume_surge, samples_15m, hour_of_day: train it \
             anew with this one"
        ));
    }

    /// The size that decides whether a forest fits the slot.
    #[test]
    fn a_node_takes_fifteen_bits() {
        let tree: Vec<_> = std::iter::repeat_n(
            [
                Node::Split {
                    feature: 11,
                    bin: 254,
                },
                Node::Leaf { q: 9 },
            ],
            1_400,
        )
        .flatten()
        .chain([Node::Leaf { q: u16::MAX }])
        .collect();
        let edges = std::array::from_fn(|_| (0..255).map(f64::from).collect());
        let forest = Forest::new(info("anomaly_ahead"), edges, vec![tree; 100]).unwrap();
        let bytes = forest.to_bytes().len();
        assert!(bytes < 560_000, "{bytes}");
        assert_eq!(Forest::from_bytes(&forest.to_bytes()), Ok(forest));
    }
}
