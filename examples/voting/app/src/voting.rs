//! The voting service: one method for each emoji.

use crate::{
    emoji,
    metrics::Metrics,
    rpc::{self, Empty, ResultsResponse, Service, VotingResult},
};
use axum::Router;
use parking_lot::Mutex;
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};
use tonic::Status;

/// The emoji for which a vote fails, on purpose.
pub const BROKEN: &str = ":doughnut:";

type Votes = Arc<Mutex<BTreeMap<&'static str, i32>>>;

/// The service.
pub fn router(metrics: &Metrics) -> Router {
    let votes = Votes::default();
    let mut service = Service::new(rpc::VOTING, metrics.grpc_requests());
    for (_, shortcode) in emoji::ALL {
        let votes = votes.clone();
        service = service.method(&rpc::vote_method(shortcode), move |_: Empty| {
            let votes = votes.clone();
            async move { vote(&votes, shortcode) }
        });
    }
    let results = move |_: Empty| {
        let results = results(&votes);
        async move { Ok(ResultsResponse { results }) }
    };
    service.method("Results", results).router()
}

fn vote(votes: &Votes, shortcode: &'static str) -> Result<Empty, Status> {
    if shortcode == BROKEN {
        return Err(Status::unknown("ERROR: nobody may vote for the doughnut"));
    }
    *votes.lock().entry(shortcode).or_default() += 1;
    Ok(Empty {})
}

fn results(votes: &Votes) -> Vec<VotingResult> {
    let votes = votes.lock();
    let mut results: Vec<_> = votes
        .iter()
        .map(|(shortcode, votes)| VotingResult { shortcode: (*shortcode).to_owned(), votes: *votes })
        .collect();
    results.sort_by_key(|result| Reverse(result.votes));
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_are_counted_except_for_the_doughnut() {
        let votes = Votes::default();
        for shortcode in [":crab:", ":taco:", ":crab:"] {
            vote(&votes, shortcode).unwrap();
        }
        assert_eq!(vote(&votes, BROKEN).unwrap_err().code(), tonic::Code::Unknown);
        let results: Vec<_> = results(&votes).into_iter().map(|result| (result.shortcode, result.votes)).collect();
        assert_eq!(results, [(":crab:".to_owned(), 2), (":taco:".to_owned(), 1)]);
    }
}
