//! What the trigger says of its metadata; what it reads is tested on a real server.

use clock::Clock;

use super::*;
use crate::scripted::{context_with, map};

/// Keys with their values.
type Pairs<'a> = &'a [(&'a str, &'a str)];

const PARTS: Pairs<'_> =
    &[("host", "db"), ("port", "5433"), ("userName", "me"), ("dbName", "shop"), ("sslmode", "disable")];

fn trigger(pairs: Pairs<'_>) -> ScaleTriggers {
    let mut metadata = map(&[("query", "SELECT 1"), ("targetQueryValue", "2.5")]);
    metadata.extend(map(pairs));
    ScaleTriggers { type_: TYPE.into(), metadata, ..Default::default() }
}

async fn built(pairs: Pairs<'_>, parameters: Pairs<'_>) -> std::result::Result<Postgresql, String> {
    let mut context = context_with(Clock::real()).await;
    context.authentication = map(parameters);
    Postgresql::new(&trigger(pairs), 1, &context).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_connection_is_named_by_its_parts_by_keys_or_by_a_url() {
    for (pairs, parameters, shown) in [
        (PARTS, &[("password", "secret")][..], "db:5433/shop"),
        (
            &[],
            &[("connection", r"host=db port=5433 user=me password='a \'secret\' b' dbname = shop sslmode=verify-full")],
            "db:5433/shop",
        ),
        (
            &[],
            &[("connection", "postgresql://me:sec%20ret@db:5433/shop?sslmode=require&connect_timeout=5")],
            "db:5433/shop",
        ),
        (&[], &[("connection", "host=a,b user=me dbname=shop sslmode=prefer")], "a:5432,b:5432/shop"),
    ] {
        let scaler = built(pairs, parameters).await.unwrap_or_else(|error| panic!("{parameters:?}: {error}"));
        assert_eq!(scaler.shared.settings.shown(), shown);
        let wanted = Spec { name: "s1-postgresql".into(), target: Target::AverageValue(2.5) };
        assert_eq!(scaler.specs().await.unwrap(), std::slice::from_ref(&wanted));
        assert_eq!(crate::specs(&trigger(pairs), 1, "shop"), [wanted]);
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_without_the_connection() {
    let connection = |text| [("connection", text)];
    for (pairs, parameters, parts) in [
        (&[][..], &[][..], &["no host", "no port", "no userName", "no dbName", "no sslmode"][..]),
        (&[("query", ""), ("targetQueryValue", "0")], &connection("host=db"), &["no query", "targetQueryValue=\"0\""]),
        (&[], &connection("secret"), &["neither a URL"]),
        (&[], &connection("host=db password='secret"), &["neither a URL"]),
        (&[], &connection("host=db sslmode=some password=secret"), &["sslmode=\"some\" must be one of"]),
        (&[], &connection("host=db sslrootcert=/a password=secret"), &["sslrootcert names a file"]),
        (&[], &connection("host=db password=secret pool=2"), &["its keys are host, password, pool"]),
    ] {
        let error = built(pairs, parameters).await.err().unwrap();
        for part in parts {
            assert!(error.contains(part), "{part} is not in {error}");
        }
        assert!(!error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_named_without_the_password() {
    let away = "postgresql://me:secret@127.0.0.1:9/shop?sslmode=disable";
    let scaler = built(&[], &[("connection", away)]).await.unwrap();
    let error = scaler.read(Duration::ZERO).await.unwrap_err().to_string();
    for part in ["error inspecting postgreSQL at 127.0.0.1:9/shop", "check that the server can be reached"] {
        assert!(error.contains(part) && !error.contains("secret"), "{part} is not in {error}");
    }
}
