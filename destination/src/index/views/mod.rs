//! Answers that somebody waits for. What nobody watches is not computed, and not kept.

mod endpoints;
mod federated;
mod profiles;
mod seat;
mod view;

pub use self::{
    endpoints::{EndpointViews, ViewKey},
    federated::{FederatedViews, Sources},
    profiles::ProfileViews,
    seat::{Holder, Seat},
    view::ViewCounts,
};
