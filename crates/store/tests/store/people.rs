//! Accounts: invitations, passwords, sessions, tokens.

use podium_store::{Error, Holder, NewApiToken, NewPerson, OnConstraint, Person, Store};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::fixture::{OWNER, store};

fn in_days(days: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() + Duration::days(days)
}

async fn invited(store: &Store, name: &str, secret: u8) -> Result<Person, Error> {
    let new = NewPerson {
        name: name.to_owned(),
        role: "runner".to_owned(),
        invitation_sha256: [secret; 32],
        invitation_until: in_days(1),
    };
    store.insert_person(&new).await
}

fn is_missing<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::NotFound { .. }))
}

#[tokio::test]
async fn an_invitation_is_used_once_and_names_are_told_apart_without_case() {
    let store = store().await;
    let ada = invited(&store, "Ada", 1).await.unwrap();
    assert_eq!((ada.role.as_str(), ada.password_hash), ("runner", None));
    let taken = invited(&store, "ADA", 2).await.on_constraint("person_name_key", || Error::NotFound { what: "name" });
    assert!(matches!(taken, Err(Error::NotFound { what: "name" })), "{taken:?}");

    assert_eq!(store.invited_person(&[1; 32]).await.unwrap().id, ada.id);
    let accepted = store.accept_invitation(&[1; 32], "Ada L.", "hash").await.unwrap();
    assert_eq!(
        (accepted.id, accepted.name.as_str(), accepted.password_hash.as_deref()),
        (ada.id, "Ada L.", Some("hash"))
    );
    assert!(is_missing(store.accept_invitation(&[1; 32], "Eve", "other").await));
    assert!(is_missing(store.invited_person(&[1; 32]).await));
    assert_eq!(store.person_named("ada l.").await.unwrap().id, ada.id);

    // A newer invitation replaces the older one, and one that is over opens nothing.
    store.invite_person(ada.id, &[3; 32], in_days(1), false).await.unwrap();
    store.invite_person(ada.id, &[4; 32], in_days(-1), false).await.unwrap();
    assert!(is_missing(store.invited_person(&[3; 32]).await) && is_missing(store.invited_person(&[4; 32]).await));
    assert_eq!(store.person(ada.id).await.unwrap().password_hash.as_deref(), Some("hash"));
    assert!(is_missing(store.invite_person(Uuid::nil(), &[5; 32], in_days(1), true).await));
}

#[tokio::test]
async fn a_session_ends_with_its_time_the_password_and_the_person() {
    let store = store().await;
    let holder = async |secret: u8| store.session_holder(&[secret; 32]).await.unwrap();
    let begin = async |secret: u8, days: i64| store.begin_session(OWNER, &[secret; 32], in_days(days)).await.unwrap();
    begin(1, 1).await;
    let owner = Holder { person_id: OWNER, person_role: "admin".to_owned(), secret_role: None };
    assert_eq!(holder(1).await, Some(owner));
    begin(2, -1).await;
    assert_eq!(holder(2).await, None);
    store.end_session(&[1; 32]).await.unwrap();
    assert_eq!(holder(1).await, None);

    begin(3, 1).await;
    store.set_password(OWNER, "new").await.unwrap();
    assert_eq!(holder(3).await, None);
    begin(4, 1).await;
    store.set_disabled(OWNER, true).await.unwrap();
    assert_eq!(holder(4).await, None);
    begin(5, 1).await;
    assert_eq!(holder(5).await, None, "nobody who is locked out comes in again");
    store.set_disabled(OWNER, false).await.unwrap();
    assert!(holder(5).await.is_some());
    store.invite_person(OWNER, &[9; 32], in_days(1), true).await.unwrap();
    assert_eq!(holder(5).await, None);
    assert_eq!(store.person(OWNER).await.unwrap().password_hash, None);
}

#[tokio::test]
async fn a_token_has_its_own_limit_and_is_revoked_by_its_owner_alone() {
    let store = store().await;
    let new = |secret: u8, days: i64| NewApiToken {
        person_id: OWNER,
        name: "ci".to_owned(),
        role: "viewer".to_owned(),
        secret_sha256: [secret; 32],
        expires_at: in_days(days),
    };
    let token = store.insert_api_token(&new(1, 1)).await.unwrap();
    store.insert_api_token(&new(2, -1)).await.unwrap();
    assert_eq!(token.last_used_at, None);
    let holder = store.token_holder(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((holder.person_role.as_str(), holder.secret_role.as_deref()), ("admin", Some("viewer")));
    assert_eq!(store.token_holder(&[2; 32]).await.unwrap(), None, "expired");
    let tokens = store.api_tokens(OWNER).await.unwrap();
    assert!(tokens.iter().find(|other| other.id == token.id).unwrap().last_used_at.is_some());

    let stranger = invited(&store, "stranger", 7).await.unwrap();
    assert!(is_missing(store.revoke_api_token(stranger.id, token.id).await));
    assert!(store.token_holder(&[1; 32]).await.unwrap().is_some());
    store.revoke_api_token(OWNER, token.id).await.unwrap();
    assert_eq!(store.token_holder(&[1; 32]).await.unwrap(), None);
}
