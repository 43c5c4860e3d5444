//! Grows one tree on binned rows.
//!
//! Rows are ordered by leaf, so a node reads contiguous memory. A node counts its rows by bin for the inputs it drew, three
//! of fourteen: counting all, to get a sibling's counts by subtraction, would cost more.
//!
//! Always true: a tree depends on the rows, the settings and the random numbers alone, and counts are integers; so it is the
//! same on every machine.

use market::model::{INPUTS, Node};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::bins::{Binned, Edges};
use super::lots::stands_for;
use crate::data::Weights;

/// The number of inputs a node draws: the square root of all.
const DRAWN: usize = INPUTS.len().isqrt();

/// Nodes with fewer rows visit only the bins that have rows.
const SPARSE_ROWS: usize = 256;

/// Index of a row's first count.
const COUNTS: usize = INPUTS.len();

/// A row's bins, then its counts: 1; how often the bootstrap drew it; both again if its label is true, else 0.
type Row = [u8; INPUTS.len() + 4];

/// Sums of the counts of rows.
type Counts = [u32; 4];

const ROWS: usize = 0;
const DRAWS: usize = 1;
const POSITIVE_ROWS: usize = 2;
const POSITIVE_DRAWS: usize = 3;

/// When a node becomes a leaf, and how far its prediction is shrunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) depth_max: u32,
    pub(super) leaf_rows_min: u32,
    /// See [`ForestParams::shrinkage`](super::params::ForestParams::shrinkage).
    pub(super) shrinkage: f64,
    /// What rows stand for: a node counts the rows of the market.
    pub(super) weights: Weights,
}

impl Limits {
    /// The different rows.
    fn rows(&self, counts: &Counts) -> u64 {
        let (rows, positive) = (counts[ROWS], counts[POSITIVE_ROWS]);
        self.weights.of(true) * u64::from(positive)
            + self.weights.of(false) * u64::from(rows - positive)
    }

    /// The rows drawn, and the true ones among them.
    fn draws(&self, counts: &Counts) -> (f64, f64) {
        let (draws, positive) = (counts[DRAWS], counts[POSITIVE_DRAWS]);
        let negative = f64::from(draws - positive) * stands_for(self.weights, false);
        let positive = f64::from(positive) * stands_for(self.weights, true);
        (positive + negative, positive)
    }

    /// The part of the Gini impurity that differs between splits of a node; greater is purer.
    fn purity(&self, left: &Counts, all: &Counts) -> f64 {
        let right = std::array::from_fn(|count| all[count] - left[count]);
        let part = |counts: &Counts| {
            let (draws, positive) = self.draws(counts);
            positive * positive / draws
        };
        part(left) + part(&right)
    }
}

/// The values that a node passes to its children.
#[derive(Debug, Clone, Copy)]
struct Parent {
    /// The share of its rows with a true label.
    share: f64,
    /// The share, shrunk towards those of its ancestors.
    prediction: f64,
    weight: f64,
}

/// Grows trees one after the other; its buffers are reused.
pub(super) struct Grower<'a> {
    bins: &'a [Binned],
    labels: &'a [bool],
    lots: &'a [u32],
    edges: &'a Edges,
    limits: Limits,
    rows: Vec<Row>,
    spare: Vec<Row>,
    weights: Vec<u8>,
    counts: Box<[[Counts; 256]; DRAWN]>,
    /// The inputs in an order that every draw changes.
    inputs: [u8; INPUTS.len()],
    nodes: Vec<Node>,
}

/// A split of a node.
#[derive(Debug, Clone, Copy)]
struct Split {
    feature: u8,
    bin: u8,
    score: f64,
}

impl<'a> Grower<'a> {
    pub(super) fn new(
        bins: &'a [Binned],
        labels: &'a [bool],
        lots: &'a [u32],
        edges: &'a Edges,
        limits: Limits,
    ) -> Self {
        Self {
            bins,
            labels,
            lots,
            edges,
            limits,
            rows: Vec::new(),
            spare: Vec::new(),
            weights: Vec::new(),
            counts: Box::new([[[0; 4]; 256]; DRAWN]),
            inputs: [0; INPUTS.len()],
            nodes: Vec::new(),
        }
    }

    /// Grows a tree; returns its nodes in preorder.
    pub(super) fn grow(&mut self, rng: &mut ChaCha8Rng) -> Vec<Node> {
        self.draw_rows(rng);
        self.inputs = std::array::from_fn(|input| input as u8);
        let end = self.rows.len();
        self.node(0, end, 0, None, rng);
        std::mem::take(&mut self.nodes)
    }

    /// The bootstrap: draws as many times as there are lots.
    fn draw_rows(&mut self, rng: &mut ChaCha8Rng) {
        self.weights.clear();
        self.weights.resize(self.bins.len(), 0);
        for _ in 0..self.lots.len() {
            let row = self.lots[rng.random_range(0..self.lots.len())];
            let weight = &mut self.weights[row as usize];
            *weight = weight.saturating_add(1);
        }
        self.rows.clear();
        for ((bins, label), weight) in self.bins.iter().zip(self.labels).zip(&self.weights) {
            if *weight > 0 {
                let mut row = [0; INPUTS.len() + 4];
                row[..COUNTS].copy_from_slice(bins);
                row[COUNTS + ROWS] = 1;
                row[COUNTS + DRAWS] = *weight;
                row[COUNTS + POSITIVE_ROWS] = u8::from(*label);
                row[COUNTS + POSITIVE_DRAWS] = weight * u8::from(*label);
                self.rows.push(row);
            }
        }
        self.spare.resize(self.rows.len(), [0; INPUTS.len() + 4]);
    }

    fn node(
        &mut self,
        begin: usize,
        end: usize,
        depth: u32,
        parent: Option<Parent>,
        rng: &mut ChaCha8Rng,
    ) {
        let mut all = [0; 4];
        for row in &self.rows[begin..end] {
            add(&mut all, row);
        }
        let (weight, positive) = self.limits.draws(&all);
        let share = positive / weight;
        let prediction = parent.map_or(share, |parent| {
            let trust = 1.0 + self.limits.shrinkage / parent.weight;
            parent.prediction + (share - parent.share) / trust
        });
        let pure = all[POSITIVE_DRAWS] == 0 || all[POSITIVE_DRAWS] == all[DRAWS];
        let few = self.limits.rows(&all) < 2 * u64::from(self.limits.leaf_rows_min);
        let leaf = depth == self.limits.depth_max || pure || few;
        let split = match leaf {
            true => None,
            false => self.best_split(begin, end, &all, rng),
        };
        let Some(split) = split else {
            let q = (prediction * f64::from(u16::MAX)).round() as u16;
            self.nodes.push(Node::Leaf { q });
            return;
        };
        let (feature, bin) = (split.feature, split.bin);
        self.nodes.push(Node::Split { feature, bin });
        let middle = begin + self.partition(begin, end, feature, bin);
        let here = Some(Parent {
            share,
            prediction,
            weight,
        });
        self.node(begin, middle, depth + 1, here, rng);
        self.node(middle, end, depth + 1, here, rng);
    }

    /// Moves the rows that go left to the front, in their order, and returns their number.
    fn partition(&mut self, begin: usize, end: usize, feature: u8, bin: u8) -> usize {
        let rows = &mut self.rows[begin..end];
        let spare = &mut self.spare[..rows.len()];
        let (mut left, mut right) = (0, 0);
        // Without a branch: each row is written to both sides, and one of them advances.
        for place in 0..rows.len() {
            let row = rows[place];
            let goes_left = row[usize::from(feature)] <= bin;
            rows[left] = row;
            spare[right] = row;
            left += usize::from(goes_left);
            right += usize::from(!goes_left);
        }
        rows[left..].copy_from_slice(&spare[..right]);
        left
    }

    /// The split with the least Gini impurity, over randomly drawn inputs. If none of them can be split, draws others.
    fn best_split(
        &mut self,
        begin: usize,
        end: usize,
        all: &Counts,
        rng: &mut ChaCha8Rng,
    ) -> Option<Split> {
        let rows = &self.rows[begin..end];
        let mut best: Option<Split> = None;
        let mut drawn = 0;
        while drawn < self.inputs.len() {
            let batch = DRAWN.min(self.inputs.len() - drawn);
            for place in drawn..drawn + batch {
                let other = rng.random_range(place..self.inputs.len());
                self.inputs.swap(place, other);
            }
            let features = &self.inputs[drawn..drawn + batch];
            drawn += batch;
            let mut splittable = false;
            count(rows, features, &mut self.counts);
            for (feature, counts) in features.iter().zip(self.counts.iter_mut()) {
                let touched = match rows.len() < SPARSE_ROWS {
                    true => touched(rows, *feature),
                    false => all_up_to(self.edges[usize::from(*feature)].len()),
                };
                splittable |= best_edge(*feature, counts, touched, all, &self.limits, &mut best);
            }
            if splittable {
                break;
            }
        }
        // Not better than no split: at most rounding noise.
        let (weight, positive) = self.limits.draws(all);
        best.filter(|split| split.score > positive * positive / weight)
    }
}

fn add(counts: &mut Counts, row: &Row) {
    for (count, by) in counts.iter_mut().zip(&row[COUNTS..]) {
        *count += u32::from(*by);
    }
}

/// Adds each row to the counts of its bins, which are zero before.
fn count(rows: &[Row], features: &[u8], counts: &mut [[Counts; 256]; DRAWN]) {
    if let Ok(features) = <[u8; DRAWN]>::try_from(features) {
        // The usual case: all in one pass.
        for row in rows {
            for (feature, counts) in features.iter().zip(counts.iter_mut()) {
                add(&mut counts[usize::from(row[usize::from(*feature)])], row);
            }
        }
        return;
    }
    for (feature, counts) in features.iter().zip(counts) {
        for row in rows {
            add(&mut counts[usize::from(row[usize::from(*feature)])], row);
        }
    }
}

/// A bit for each bin of a feature that has rows.
fn touched(rows: &[Row], feature: u8) -> [u64; 4] {
    let mut bits = [0; 4];
    for row in rows {
        let bin = row[usize::from(feature)];
        bits[usize::from(bin / 64)] |= 1 << (bin % 64);
    }
    bits
}

/// Bits 0 to `last`.
fn all_up_to(last: usize) -> [u64; 4] {
    std::array::from_fn(|word| match last.checked_sub(64 * word) {
        None => 0,
        Some(last) if last >= 63 => u64::MAX,
        Some(last) => (1 << (last + 1)) - 1,
    })
}

/// Looks for a better split than `best` at the edges between bins with rows, and zeroes the counts. Returns whether there
/// is such an edge.
fn best_edge(
    feature: u8,
    counts: &mut [Counts; 256],
    touched: [u64; 4],
    all: &Counts,
    limits: &Limits,
    best: &mut Option<Split>,
) -> bool {
    let mut left = [0_u32; 4];
    let mut below: Option<u8> = None;
    let mut edges = 0;
    for (word, mut bits) in (0_u8..).zip(touched) {
        while bits != 0 {
            let bin = word * 64 + bits.trailing_zeros() as u8;
            bits &= bits - 1;
            let here = std::mem::take(&mut counts[usize::from(bin)]);
            if here[ROWS] == 0 {
                continue;
            }
            if let Some(below) = below {
                edges += 1;
                let rows = limits.rows(&left);
                let least = rows.min(limits.rows(all) - rows);
                if least >= u64::from(limits.leaf_rows_min) {
                    let score = limits.purity(&left, all);
                    if best.is_none_or(|best| score > best.score) {
                        // Every edge between the two bins splits these rows alike; the middle one likely splits others best.
                        let bin = below + (bin - 1 - below) / 2;
                        *best = Some(Split {
                            feature,
                            bin,
                            score,
                        });
                    }
                }
            }
            for (left, here) in left.iter_mut().zip(here) {
                *left += here;
            }
            below = Some(bin);
        }
    }
    edges > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_up_to_the_last_bin_are_set() {
        assert_eq!(all_up_to(0), [1, 0, 0, 0]);
        assert_eq!(all_up_to(63), [u64::MAX, 0, 0, 0]);
        assert_eq!(all_up_to(64), [u64::MAX, 1, 0, 0]);
        assert_eq!(all_up_to(255), [u64::MAX; 4]);
    }
}
