//! The models in a SmartModule, and their files.

use market::model::{INPUTS, ModelPair, slot};

/// The file of a pair of models, and a SmartModule that holds one. What is read can be asked, and is written as it was read.
pub fn model_file(data: &[u8]) {
    let _ = slot::read(data);
    let _ = ModelPair::from_bytes(data);
    // With checksums that are right, so that what lies behind them is read too.
    let Some(data) = with_checksums(data) else {
        return;
    };
    let Ok(pair) = ModelPair::from_bytes(&data) else {
        return;
    };
    let row = [0.5; INPUTS.len()];
    if let Some(forest) = &pair.anomaly {
        assert!((0.0..=1.0).contains(&forest.probabilities(&[row])[0]));
    }
    if let Some(logistic) = &pair.trend {
        logistic.probability(&row);
    }
    let written = pair.to_bytes();
    assert_eq!(ModelPair::from_bytes(&written).unwrap().to_bytes(), written);
}

/// Two files, each after its length and with its checksum at its end; none when they are not that long.
fn with_checksums(data: &[u8]) -> Option<Vec<u8>> {
    let mut data = data.to_vec();
    let mut at = 0;
    for _ in 0..2 {
        let len = u32::from_le_bytes(*data.get(at..)?.first_chunk()?) as usize;
        let file = data.get_mut(at + 4..)?.get_mut(..len)?;
        if let Some((body, checksum)) = file.split_last_chunk_mut::<4>() {
            *checksum = crc32fast::hash(body).to_le_bytes();
        }
        at += 4 + len;
    }
    Some(data)
}
