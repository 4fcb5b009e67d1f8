//! Credentials for a registry, from where `docker login` left them: the configuration file or a helper that it names.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::secrets::RegistryAuth;

use crate::error::{Error, Result};

/// The key of Docker Hub, which is older than registries' names.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";
/// What helpers say when they work and have nothing; the text is part of their protocol.
const HELPER_HAS_NONE: &str = "credentials not found";

/// What `file` has for `registry`; nothing is an answer too. May run a helper, so from async code call it on a blocking
/// thread.
pub(crate) fn look_up(file: &Path, registry: &str) -> Result<RegistryAuth> {
    let failed = |cause: String| Error::Credentials { registry: registry.to_owned(), path: file.to_owned(), cause };
    let reader = match File::open(file) {
        Ok(reader) => BufReader::new(reader),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(RegistryAuth::Anonymous),
        Err(error) => return Err(failed(error.to_string())),
    };
    let key = if registry == "docker.io" { DOCKER_HUB } else { registry };
    match docker_credential::get_credential_from_reader(reader, key) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(_)) => Err(failed(format!(
            "it holds an identity token, which only Docker itself can use; \
             run `docker logout {registry}` and log in with a user name and an access token"
        ))),
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(RegistryAuth::Anonymous),
        Err(CredentialRetrievalError::HelperFailure { stdout, stderr, .. })
            if stdout.contains(HELPER_HAS_NONE) || stderr.contains(HELPER_HAS_NONE) =>
        {
            Ok(RegistryAuth::Anonymous)
        }
        Err(error) => Err(failed(explain(&error, key))),
    }
}

/// What a helper printed is not shown: on stdout it may be the secret.
fn explain(error: &CredentialRetrievalError, key: &str) -> String {
    match error {
        CredentialRetrievalError::HelperFailure { helper, .. } => {
            format!("the helper {helper} failed; run `echo {key} | {helper} get` to see why")
        }
        CredentialRetrievalError::HelperCommunicationError => {
            "the helper that it names (credHelpers or credsStore) cannot be run; \
             put docker-credential-… on PATH or remove the entry"
                .to_owned()
        }
        CredentialRetrievalError::MalformedHelperResponse => {
            "the helper that it names (credHelpers or credsStore) does not answer as one; log in again".to_owned()
        }
        CredentialRetrievalError::ConfigReadError => "it is no Docker configuration; repair or remove it".to_owned(),
        CredentialRetrievalError::CredentialDecodingError | CredentialRetrievalError::CredentialMismatchError => {
            "its entry is damaged; log in again".to_owned()
        }
        CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound => {
            "there are none; log in".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up_in(config: &str, registry: &str) -> Result<RegistryAuth> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        std::fs::write(&file, config).unwrap();
        look_up(&file, registry)
    }

    fn basic(user: &str, password: &str) -> RegistryAuth {
        RegistryAuth::Basic(user.to_owned(), password.to_owned())
    }

    #[test]
    fn an_entry_of_auths_is_taken_and_only_for_its_registry() {
        // alice:s3cret
        let config = r#"{"auths":{"registry.example:5000":{"auth":"YWxpY2U6czNjcmV0"}}}"#;
        assert_eq!(look_up_in(config, "registry.example:5000").unwrap(), basic("alice", "s3cret"));
        assert_eq!(look_up_in(config, "other.example").unwrap(), RegistryAuth::Anonymous);
    }

    #[test]
    fn docker_hub_has_a_key_of_its_own() {
        let config = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"YWxpY2U6czNjcmV0"}}}"#;
        assert_eq!(look_up_in(config, "docker.io").unwrap(), basic("alice", "s3cret"));
    }

    #[test]
    fn no_file_and_an_empty_one_mean_nobody() {
        assert_eq!(look_up(Path::new("/nonexistent/config.json"), "r.example").unwrap(), RegistryAuth::Anonymous);
        assert_eq!(look_up_in("{}", "r.example").unwrap(), RegistryAuth::Anonymous);
    }

    #[test]
    fn a_damaged_file_is_named_and_not_quoted() {
        for config in ["not json", r#"{"auths":{"r.example":{"auth":"!s3cret!"}}}"#] {
            let error = look_up_in(config, "r.example").unwrap_err().to_string();
            assert!(error.contains("config.json") && !error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn an_identity_token_is_refused_with_a_way_out() {
        let config = r#"{"auths":{"r.example":{"identitytoken":"s3cret"}}}"#;
        let error = look_up_in(config, "r.example").unwrap_err().to_string();
        assert!(error.contains("docker logout r.example") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn a_helper_that_is_missing_is_said_to_be() {
        for config in
            [r#"{"credHelpers":{"r.example":"sluice-test-missing"}}"#, r#"{"credsStore":"sluice-test-missing"}"#]
        {
            let error = look_up_in(config, "r.example").unwrap_err().to_string();
            assert!(error.contains("on PATH"), "{error}");
        }
    }

    #[test]
    fn what_a_helper_printed_is_not_reported() {
        let error = CredentialRetrievalError::HelperFailure {
            helper: "docker-credential-keeper".to_owned(),
            stdout: "s3cret".to_owned(),
            stderr: "s3cret".to_owned(),
        };
        let text = explain(&error, "r.example");
        assert!(text.contains("docker-credential-keeper get") && !text.contains("s3cret"), "{text}");
    }
}
