//! The key that signs the tokens of ServiceAccounts.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::PublicKeyData;
use serde_json::{Value, json};
use sha2::Digest;

use crate::status::Status;

/// The cluster's signing key (ES256) in the forms in which it is needed.
pub(crate) struct Keys {
    id: String,
    signing: EncodingKey,
    verifying: DecodingKey,
    pub(crate) jwk: Value,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.id)
    }
}

impl Keys {
    pub(crate) fn generate() -> Result<Self, String> {
        let pair = rcgen::KeyPair::generate().map_err(|error| error.to_string())?;
        let point = pair.der_bytes().to_vec();
        // An uncompressed P-256 point: one byte of form, then x and y of 32 bytes each.
        let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else {
            return Err("the public key is no P-256 point".to_owned());
        };
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let id = hex::encode(&sha2::Sha256::digest(&point)[..20]);
        let jwk = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id, "x": x, "y": y});
        let signing = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).map_err(|error| error.to_string())?;
        let verifying = DecodingKey::from_ec_components(&x, &y).map_err(|error| error.to_string())?;
        Ok(Self { id, signing, verifying, jwk })
    }

    pub(crate) fn sign(&self, claims: &Value) -> Result<String, Status> {
        let header = Header { kid: Some(self.id.clone()), typ: None, ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.signing).map_err(Status::internal)
    }

    /// The claims of a token that this cluster signed; nothing but the signature is verified.
    pub(crate) fn verify(&self, token: &str) -> Option<Value> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Some(jsonwebtoken::decode::<Value>(token, &self.verifying, &validation).ok()?.claims)
    }
}
