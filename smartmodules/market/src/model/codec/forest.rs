//! A forest's file.

use super::super::error::ModelError;
use super::super::forest::{Forest, Node};
use super::super::inputs::INPUTS;
use super::bits::{BitReader, BitWriter};
use super::file::{Kind, Reader, TOO_LONG, Writer};

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
    /// When the bytes are not a valid forest of this format.
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

/// Reads one tree: it ends where every split has both children.
fn read_tree(bits: &mut BitReader<'_>) -> Result<Vec<Node>, ModelError> {
    let mut nodes = Vec::new();
    // Subtrees still to be read.
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
