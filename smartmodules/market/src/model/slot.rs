//! The place of the models in crypto-predict's wasm: promoting a model changes bytes there, nothing is compiled.
//!
//! A [`Slot`] is a static of the module. It begins with a magic number, which puts it into a data segment of the wasm
//! (zeros alone would not be stored) and lets [`fill`] find it. Its size, the bytes used and the pair of models follow. An
//! empty slot holds no models.

use std::hint::black_box;

use super::error::ModelError;
use super::pair::ModelPair;

/// The size of crypto-predict's slot: enough for 100 trees of 3,300 nodes. The module stays under 1 MB, the limit of a Kubernetes
/// object.
pub const SLOT_BYTES: usize = 640 * 1024;

/// The largest model file that the slot has room for, with a logistic regression and the runs' names beside it.
pub const MODEL_BYTES_MAX: usize = SLOT_BYTES - 4 * 1024;

const MAGIC: [u8; 32] = *b"coinlake model slot, layout 1 ->";
/// Magic number, size and bytes used.
const HEAD_BYTES: usize = MAGIC.len() + 8;

/// A slot of `N` bytes, in a module.
#[derive(Debug)]
#[repr(C)]
pub struct Slot<const N: usize> {
    magic: [u8; MAGIC.len()],
    room: [u8; 4],
    len: [u8; 4],
    bytes: [u8; N],
}

impl<const N: usize> Slot<N> {
    /// A slot without models.
    pub const fn empty() -> Self {
        Self {
            magic: MAGIC,
            room: (N as u32).to_le_bytes(),
            len: [0; 4],
            bytes: [0; N],
        }
    }

    /// The slot's bytes in a wasm.
    pub fn to_bytes(&self) -> Vec<u8> {
        [&self.magic[..], &self.room, &self.len, &self.bytes].concat()
    }

    /// The models in the slot.
    ///
    /// # Errors
    ///
    /// When the models are damaged, or of another format.
    pub fn pair(&'static self) -> Result<ModelPair, ModelError> {
        // The bytes change after compilation: the compiler must not assume their initial value.
        let slot = black_box(self);
        pair_of(&slot.len, &slot.bytes)
    }
}

fn pair_of(len: &[u8; 4], bytes: &[u8]) -> Result<ModelPair, ModelError> {
    let len = u32::from_le_bytes(*len) as usize;
    if len == 0 {
        return Ok(ModelPair::default());
    }
    let bytes = bytes.get(..len);
    ModelPair::from_bytes(bytes.ok_or(ModelError::Damaged("it is larger than its slot"))?)
}

/// The wasm with this pair in its slot. Models that were there before are replaced.
///
/// # Errors
///
/// When the wasm does not have exactly one whole slot, or the pair does not fit.
pub fn fill(wasm: &[u8], pair: &ModelPair) -> Result<Vec<u8>, ModelError> {
    let found = find(wasm)?;
    let bytes = match pair.is_empty() {
        true => Vec::new(),
        false => pair.to_bytes(),
    };
    if bytes.len() > found.room {
        return Err(ModelError::TooLarge {
            bytes: bytes.len(),
            room: found.room,
        });
    }
    let mut filled = wasm.to_vec();
    let slot = &mut filled[found.at..][..HEAD_BYTES + found.room];
    let (head, body) = slot.split_at_mut(HEAD_BYTES);
    head[HEAD_BYTES - 4..].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    let (used, unused) = body.split_at_mut(bytes.len());
    used.copy_from_slice(&bytes);
    unused.fill(0);
    Ok(filled)
}

/// The pair in a wasm's slot.
///
/// # Errors
///
/// When the wasm does not have exactly one whole slot, or the models in it cannot be used.
pub fn read(wasm: &[u8]) -> Result<ModelPair, ModelError> {
    let found = find(wasm)?;
    let (head, body) = wasm[found.at..][..HEAD_BYTES + found.room].split_at(HEAD_BYTES);
    let len = head.last_chunk().ok_or(ModelError::NoSlot)?;
    pair_of(len, body)
}

/// A slot, both in bytes.
struct Found {
    at: usize,
    room: usize,
}

fn find(wasm: &[u8]) -> Result<Found, ModelError> {
    if !wasm.starts_with(b"\0asm") {
        return Err(ModelError::NoSlot);
    }
    let places = wasm.windows(MAGIC.len()).enumerate();
    let mut slots = places.filter(|(_, bytes)| **bytes == MAGIC);
    // With a second one it would be unclear which the module reads.
    let (Some((at, _)), None) = (slots.next(), slots.next()) else {
        return Err(ModelError::NoSlot);
    };
    let room = wasm[at + MAGIC.len()..]
        .first_chunk()
        .ok_or(ModelError::NoSlot)?;
    let room = u32::from_le_bytes(*room) as usize;
    if wasm.len() - at < HEAD_BYTES + room {
        return Err(ModelError::NoSlot);
    }
    Ok(Found { at, room })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{a_forest, a_logistic};
    use super::*;

    const ROOM: usize = 10_000;

    /// A slot with other bytes around it; only these matter here.
    fn wasm() -> Vec<u8> {
        let slot = Slot::<ROOM>::empty().to_bytes();
        [b"\0asm before ".as_slice(), &slot, b" after"].concat()
    }

    #[test]
    fn a_slot_holds_the_models_written_last() {
        let empty = wasm();
        assert_eq!(read(&empty), Ok(ModelPair::default()));
        let both = ModelPair {
            anomaly: Some(a_forest(1)),
            trend: Some(a_logistic(2)),
        };
        let one = ModelPair {
            anomaly: None,
            ..both.clone()
        };
        let filled = fill(&empty, &both).unwrap();
        assert_eq!(filled.len(), empty.len());
        assert_eq!(read(&filled), Ok(both));
        let filled = fill(&filled, &one).unwrap();
        assert_eq!(read(&filled), Ok(one.clone()));
        assert_eq!(
            filled,
            fill(&empty, &one).unwrap(),
            "no bytes of the former models remain"
        );
        assert_eq!(fill(&filled, &ModelPair::default()), Ok(empty));
    }

    #[test]
    fn a_module_without_models_starts() {
        static SLOT: Slot<8> = Slot::empty();
        assert_eq!(SLOT.pair(), Ok(ModelPair::default()));
    }

    #[test]
    fn a_wasm_that_cannot_be_used_is_refused_with_the_reason() {
        let pair = ModelPair {
            anomaly: None,
            trend: Some(a_logistic(2)),
        };
        let no_slot = "this wasm has no slot for models: give the crypto-predict that `cargo xtask smartmodules` builds";
        let mut twice = wasm();
        twice.extend(MAGIC);
        let mut cut = wasm();
        cut.truncate(5_000);
        for wasm in [&b"\0asm"[..], &wasm()[1..], &twice, &cut] {
            assert_eq!(fill(wasm, &pair).unwrap_err().to_string(), no_slot);
            assert_eq!(read(wasm).unwrap_err().to_string(), no_slot);
        }

        let mut small = wasm();
        let at = find(&small).unwrap().at;
        small[at + MAGIC.len()..][..4].copy_from_slice(&100_u32.to_le_bytes());
        let bytes = pair.to_bytes().len();
        assert_eq!(
            fill(&small, &pair).unwrap_err(),
            ModelError::TooLarge { bytes, room: 100 }
        );

        let mut damaged = fill(&wasm(), &pair).unwrap();
        damaged[at + HEAD_BYTES + 60] ^= 1;
        assert_eq!(
            read(&damaged),
            Err(ModelError::Damaged("its checksum does not match"))
        );
        damaged[at + MAGIC.len() + 4..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(
            read(&damaged),
            Err(ModelError::Damaged("it is larger than its slot"))
        );
    }
}
