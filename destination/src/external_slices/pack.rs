//! Puts the endpoints of one set of ports into slices.

use super::model::{Endpoint, Slice};
use crate::core::{key::Key, workload::Labels};
use std::{collections::BTreeMap, net::IpAddr};

/// Most endpoints of one slice.
pub const MAX_ENDPOINTS: usize = 100;

/// What becomes of the slices of one set of ports.
#[derive(Debug, Default)]
pub struct Packed<'a> {
    /// Slices with the endpoints that they come to hold.
    pub changed: Vec<(&'a Slice, Vec<Endpoint>)>,
    /// Endpoints of new slices.
    pub new: Vec<Vec<Endpoint>>,
    /// Slices of which no endpoint is left.
    pub emptied: Vec<&'a Slice>,
}

/// Leaves endpoints where they are. The others go into slices that are written anyway, the fullest first;
/// then into one more slice that can hold them all; then into new ones.
pub fn pack<'a>(labels: &Labels, wanted: Vec<Endpoint>, present: Vec<&'a Slice>) -> Packed<'a> {
    let mut packed = Packed::default();
    let mut left: Left<'_> = wanted.iter().map(|endpoint| (endpoint.identity(), endpoint)).collect();
    let mut unchanged: Vec<&Slice> = Vec::new();
    for slice in present {
        let kept = keep(slice, &mut left);
        if kept.is_empty() {
            packed.emptied.push(slice);
        } else if slice.content.labels == *labels && slice.content.endpoints == kept {
            unchanged.push(slice);
        } else {
            packed.changed.push((slice, kept));
        }
    }
    let mut left: Vec<Endpoint> = left.into_values().cloned().collect();
    packed.changed.sort_by_key(|(_, endpoints)| std::cmp::Reverse(endpoints.len()));
    for (_, endpoints) in &mut packed.changed {
        let room = left.len().min(MAX_ENDPOINTS - endpoints.len());
        endpoints.extend(left.drain(..room));
    }
    while !left.is_empty() {
        if let Some(slice) = fullest_with_room(&unchanged, left.len()) {
            let endpoints = slice.content.endpoints.iter().cloned().chain(std::mem::take(&mut left));
            packed.changed.push((slice, endpoints.collect()));
        } else {
            packed.new.push(left.drain(..left.len().min(MAX_ENDPOINTS)).collect());
        }
    }
    packed
}

/// Endpoints that are in no slice yet, by identity.
type Left<'w> = BTreeMap<(&'w Key, &'w [IpAddr], &'w str), &'w Endpoint>;

/// The endpoints of a slice that stay, as they should be now. They are taken from those that are left to
/// place, so that an endpoint in two slices stays in one.
fn keep<'w>(slice: &'w Slice, left: &mut Left<'w>) -> Vec<Endpoint> {
    let kept = slice.content.endpoints.iter().filter_map(|endpoint| left.remove(&endpoint.identity()));
    kept.take(MAX_ENDPOINTS).cloned().collect()
}

fn fullest_with_room<'a>(slices: &[&'a Slice], count: usize) -> Option<&'a Slice> {
    let fitting = slices.iter().filter(|slice| slice.content.endpoints.len() + count <= MAX_ENDPOINTS);
    fitting.copied().max_by_key(|slice| slice.content.endpoints.len())
}
