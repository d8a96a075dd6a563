use super::*;
use crate::{
    core::token::{AUDIENCE, RequiredAudience},
    testing::{Hands, hours, seconds, start},
};

fn account() -> ServiceAccount {
    ServiceAccount { namespace: "ns1".to_owned(), name: "foo".to_owned() }
}

async fn review(tokens: &LocalTokens, token: &str) -> Review {
    tokens.review(token, &[AUDIENCE]).await.unwrap()
}

#[tokio::test]
async fn a_token_proves_its_account_until_it_expires() {
    let hands = Hands::new();
    let tokens = LocalTokens::generate(hands.clock()).unwrap();
    let token = tokens.sign(&account(), &["foo", AUDIENCE], hours(1)).unwrap();
    for text in [token.clone(), format!("{token}\n")] {
        let review = review(&tokens, &text).await;
        assert_eq!(review.audiences, [AUDIENCE]);
        assert_eq!(review.service_account(RequiredAudience::Identity), Ok(account()));
    }
    hands.set(start() + hours(1));
    assert!(review(&tokens, &token).await.error.contains("expired"));
    hands.set(start() - seconds(1));
    assert!(!review(&tokens, &token).await.is_authenticated);
}

// Case 43.
#[tokio::test]
async fn garbage_tampered_and_foreign_tokens_are_refused() {
    let tokens = LocalTokens::generate(Hands::new().clock()).unwrap();
    let token = tokens.sign(&account(), &[AUDIENCE], hours(1)).unwrap();
    let foreign = LocalTokens::generate(Hands::new().clock()).unwrap().sign(&account(), &[AUDIENCE], hours(1)).unwrap();
    let (header, rest) = token.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let unsigned = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let mut other = claims.to_owned();
    other.replace_range(10..11, if &other[10..11] == "A" { "B" } else { "A" });
    for bad in [
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        String::new(),
        foreign,
        format!("{header}.{other}.{signature}"),
        format!("{unsigned}.{claims}."),
        format!("{unsigned}.{claims}.{signature}"),
        format!("{header}.{claims}"),
    ] {
        let review = review(&tokens, &bad).await;
        assert_eq!((review.is_authenticated, review.error.as_str()), (false, "invalid bearer token"), "{bad}");
    }
}

#[tokio::test]
async fn a_token_for_others_names_the_audiences() {
    let tokens = LocalTokens::generate(Hands::new().clock()).unwrap();
    let token = tokens.sign(&account(), &["foo"], hours(1)).unwrap();
    let review = review(&tokens, &token).await;
    assert!(review.is_for_other_audiences() && !review.is_authenticated, "{review:?}");
}

#[tokio::test]
async fn a_kept_key_keeps_its_tokens() {
    let tokens = LocalTokens::generate(Hands::new().clock()).unwrap();
    let token = tokens.sign(&account(), &[AUDIENCE], hours(1)).unwrap();
    let next = LocalTokens::from_pkcs8(&tokens.to_pkcs8().unwrap(), Hands::new().clock()).unwrap();
    assert!(review(&next, &token).await.is_authenticated);
    assert!(matches!(LocalTokens::from_pkcs8(b"junk", Hands::new().clock()), Err(LocalTokensError::Key)));
}
