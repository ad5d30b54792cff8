//! Key material that comes from outside: the parameters to wrap it with, its import, expiry and
//! removal.
//!
//! The wrapping key is fresh for every `GetParametersForImport`. Its private half goes into the import
//! token, sealed under a key that never leaves the service, so that nothing is stored until material
//! arrives. Layout of the token: docs/formats.md, "Import token".
//!
//! Source: AWS KMS API Reference, `GetParametersForImport`, `ImportKeyMaterial`,
//! `DeleteImportedKeyMaterial`; Developer Guide, "Importing key material".

use chrono::{DateTime, TimeDelta, Utc};

use super::directory::{Call, Directory, Done, Found};
use super::id::KeyId;
use super::import_token::ImportToken;
use super::key::{Key, material_row};
use super::key_version::{Imported, KeyVersion, Origin};
use super::material::Material;
use super::outputs::{ImportKeyMaterialOutput, ParametersForImport};
use super::requests::{
    DeleteExpiredKeyMaterial, DeleteImportedKeyMaterial, GetParametersForImport, ImportKeyMaterial,
};
use super::spec::KeySpec;
use super::state::{Act, KeyState};
use super::{Error, Scope};
use crate::crypto::pair::{PairKind, RsaSize};
use crate::crypto::rsa::{Oaep, RsaKey, Wrapping};
use crate::crypto::{Plaintext, Purpose, derive};
use crate::store::{Change, Revision, Value};

/// `GetParametersForImport`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Unsupported`] for a key that imports nothing, or SM2;
/// [`Error::InvalidState`].
pub fn get_parameters_for_import(
    directory: &Directory,
    call: &Call<'_>,
    request: &GetParametersForImport,
) -> Result<Done<ParametersForImport>, Error> {
    let found = external(directory, call, &request.key_id, Act::Import)?;
    let wrapping = wrapping(&request.wrapping_algorithm)?;
    let size = match request.wrapping_key_spec.as_str() {
        "RSA_2048" => RsaSize::Bits2048,
        "RSA_3072" => RsaSize::Bits3072,
        "RSA_4096" => RsaSize::Bits4096,
        other => return Err(unsupported("wrapping key spec", other)),
    };
    let private = PairKind::Rsa(size).generate()?;
    let public_key = RsaKey::new(size, private.expose())?.public().der().to_vec();
    let valid_to = call.now + TimeDelta::hours(TOKEN_HOURS);
    let token = ImportToken { valid_to, wrapping, size, private };
    let key_id = found.entry.key.arn();
    let import_token = token.seal(directory.secret(), &key_id)?;
    let output =
        ParametersForImport { key_id, import_token, public_key, parameters_valid_to: valid_to };
    Ok(Done::of(found, None, output))
}

/// `ImportKeyMaterial`
///
/// # Errors
/// As [`get_parameters_for_import`]; [`Error::InvalidImportToken`], [`Error::ExpiredImportToken`],
/// [`Error::InvalidCiphertext`], [`Error::IncorrectKeyMaterial`], [`Error::Validation`].
pub fn import_key_material(
    directory: &Directory,
    call: &Call<'_>,
    request: &ImportKeyMaterial,
) -> Result<Done<ImportKeyMaterialOutput>, Error> {
    let valid_to = expiry(request, call.now)?;
    let found = external(directory, call, &request.key_id, Act::Import)?;
    let mut key = found.entry.key.clone();
    let arn = key.arn();
    let token = ImportToken::open(directory.secret(), &arn, &request.import_token)?;
    if token.valid_to <= call.now {
        return Err(Error::ExpiredImportToken);
    }
    let wrapped = RsaKey::new(token.size, token.private.expose())?;
    let unwrapped = wrapped.unwrap(token.wrapping, &request.encrypted_key_material);
    let material = unwrapped.map_err(|_| Error::InvalidCiphertext)?;
    if Material::new(key.spec, key.usage, material.expose()).is_none() {
        return Err(Error::IncorrectKeyMaterial);
    }
    let id = material_id(directory, key.id, &material);
    if request.key_material_id.as_ref().is_some_and(|wanted| *wanted != id) {
        return Err(Error::IncorrectKeyMaterial);
    }
    let imported =
        Imported { valid_to, description: request.key_material_description.clone(), present: true };
    let (number, is_there) =
        put(&mut key, request.import_type.as_deref(), &id, imported, call.now)?;
    if key.state == KeyState::PendingImport && key.is_whole() {
        key.state = KeyState::Enabled;
    }
    let mut changes = Vec::new();
    if !is_there {
        let value = Some(Value::from(material.expose().to_vec()));
        let row = material_row(&key.place(), number);
        changes.push(Change { row, expected: Revision(0), value });
    }
    changes.push(found.entry.replace(&key)?);
    changes.extend(announced(directory, &key)?);
    let output = ImportKeyMaterialOutput { key_id: arn, key_material_id: id };
    Ok(Done::of(found, Some(number), output).changing(changes))
}

/// `DeleteImportedKeyMaterial`: the key is then of no use until the same material comes back. What
/// a primary key has for the next rotation goes from its replicas, too. A key that is pending deletion
/// stays so.
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Unsupported`] for a key that imports nothing;
/// [`Error::NotFound`] for material that the key never had.
pub fn delete_imported_key_material(
    directory: &Directory,
    call: &Call<'_>,
    request: &DeleteImportedKeyMaterial,
) -> Result<Done<ImportKeyMaterialOutput>, Error> {
    let found = external(directory, call, &request.key_id, Act::RemoveMaterial)?;
    let key_id = found.entry.key.arn();
    let key = &found.entry.key;
    let named = match &request.key_material_id {
        Some(wanted) => {
            let mut all = key.versions.iter().chain(&key.pending);
            let known = all.find(|version| version.material_id == *wanted);
            let missing = || Error::NotFound(format!("{key_id} has no key material {wanted}"));
            Some(known.ok_or_else(missing)?)
        }
        None => key.versions.last(),
    };
    let key_material_id = named.map(|version| version.material_id.clone()).unwrap_or_default();
    let numbers: Vec<u32> = named.iter().map(|version| version.number).collect();
    let mut changes = removed(&found, &numbers)?;
    if let (Some(named), false) = (named, key.is_replica())
        && key.pending.as_ref() == Some(named)
    {
        changes.extend(withdrawn(directory, key, named)?);
    }
    let output = ImportKeyMaterialOutput { key_id, key_material_id };
    Ok(Done::of(found, None, output).changing(changes))
}

/// Keys with imported material whose time is over, by scope and ARN.
#[must_use]
pub fn expired_key_material(directory: &Directory, now: DateTime<Utc>) -> Vec<(Scope, String)> {
    let arn = |(scope, id): (Scope, KeyId)| {
        let arn = scope.key_arn(id);
        (scope, arn)
    };
    directory.lapsed_keys(now).into_iter().map(arn).collect()
}

/// Removes imported material whose time is over; the service's own call.
///
/// # Errors
/// [`Error::NotFound`] when there is none.
pub fn delete_expired_key_material(
    directory: &Directory,
    call: &Call<'_>,
    request: &DeleteExpiredKeyMaterial,
) -> Result<Done<()>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    let numbers: Vec<u32> = found.entry.key.lapsed(call.now).collect();
    if numbers.is_empty() {
        let arn = found.entry.key.arn();
        return Err(Error::NotFound(format!("Key '{arn}' has no material that is expired")));
    }
    let changes = removed(&found, &numbers)?;
    Ok(Done::of(found, None, ()).changing(changes))
}

/// Hours for which an import token holds (API reference, `GetParametersForImport`).
const TOKEN_HOURS: i64 = 24;

/// Days for which imported material may be kept (API reference, `ImportKeyMaterial`, `ValidTo`).
const LONGEST_DAYS: i64 = 365;

/// A key whose material comes from outside, if its state lets `act` be done to it.
fn external(
    directory: &Directory,
    call: &Call<'_>,
    reference: &str,
    act: Act,
) -> Result<Found, Error> {
    let found = directory.find_key(call, reference)?;
    let key = &found.entry.key;
    if key.origin != Origin::External {
        let (arn, origin) = (key.arn(), key.origin.as_str());
        return Err(Error::Unsupported(format!(
            "{arn} origin is {origin} which is not valid for this operation."
        )));
    }
    key.state.permits(act, &key.arn())?;
    Ok(found)
}

fn wrapping(name: &str) -> Result<Wrapping, Error> {
    match name {
        "RSAES_OAEP_SHA_1" => Ok(Wrapping::Oaep(Oaep::Sha1)),
        "RSAES_OAEP_SHA_256" => Ok(Wrapping::Oaep(Oaep::Sha256)),
        "RSA_AES_KEY_WRAP_SHA_1" => Ok(Wrapping::OaepAesKeyWrap(Oaep::Sha1)),
        "RSA_AES_KEY_WRAP_SHA_256" => Ok(Wrapping::OaepAesKeyWrap(Oaep::Sha256)),
        other => Err(unsupported("wrapping algorithm", other)),
    }
}

/// What the model names and AWS takes no more (PKCS #1 v1.5), or in China only (SM2).
fn unsupported(what: &str, name: &str) -> Error {
    Error::Unsupported(format!("The {what} {name} is not supported in this region."))
}

fn expiry(request: &ImportKeyMaterial, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Error> {
    let wrong = |what: &str| Err(Error::Validation(what.to_owned()));
    match (request.expiration_model.as_deref(), request.valid_to) {
        (Some("KEY_MATERIAL_DOES_NOT_EXPIRE"), None) => Ok(None),
        (Some("KEY_MATERIAL_DOES_NOT_EXPIRE"), Some(_)) => wrong(
            "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE",
        ),
        (_, None) => {
            wrong("A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES")
        }
        (_, Some(date)) if date <= now => wrong("The validTo date must be in the future"),
        (_, Some(date)) if date > now + TimeDelta::days(LONGEST_DAYS) => {
            wrong("The validTo date must be within 365 days")
        }
        (_, Some(date)) => Ok(Some(date)),
    }
}

/// Says of material whether it is the same, to nobody without the service's secret.
fn material_id(directory: &Directory, key: KeyId, material: &Plaintext) -> String {
    let named = derive(directory.secret(), key.as_bytes(), Purpose::MaterialId, material.expose());
    hex::encode(named.expose())
}

/// Tells the replicas of a key which material is to be imported into them, too, before a rotation.
fn announced(directory: &Directory, key: &Key) -> Result<Vec<Change>, Error> {
    let Some(pending) = &key.pending else { return Ok(Vec::new()) };
    let mut changes = Vec::new();
    for entry in directory.related(key) {
        let known = entry.key.pending.as_ref();
        if key.is_replica() || known.is_some_and(|known| known.material_id == pending.material_id) {
            continue;
        }
        let awaited = Imported { valid_to: None, description: None, present: false };
        let mut replica = entry.key.clone();
        replica.pending = Some(KeyVersion { imported: Some(awaited), ..pending.clone() });
        changes.push(entry.replace(&replica)?);
        // What it has of an earlier announcement would lie where the new material belongs.
        changes
            .extend(known.filter(|known| known.is_present()).map(|known| gone(&entry.key, known)));
    }
    Ok(changes)
}

/// Takes from the replicas of a key what they were told of by [`announced`].
fn withdrawn(directory: &Directory, key: &Key, named: &KeyVersion) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    for entry in directory.related(key) {
        let mut replica = entry.key.clone();
        let same = |known: &mut KeyVersion| known.material_id == named.material_id;
        let Some(known) = replica.pending.take_if(same) else { continue };
        changes.push(entry.replace(&replica)?);
        changes.extend(known.is_present().then(|| gone(&replica, &known)));
    }
    Ok(changes)
}

/// Where material belongs, and whether its row is there already.
fn put(
    key: &mut Key,
    kind: Option<&str>,
    id: &str,
    imported: Imported,
    now: DateTime<Utc>,
) -> Result<(u32, bool), Error> {
    let is_new = match kind {
        Some(kind) => kind == "NEW_KEY_MATERIAL",
        None => key.versions.is_empty(),
    };
    let follows = key.is_replica();
    let mut known = key.versions.iter_mut().chain(&mut key.pending);
    let known = known.find(|version| version.material_id == id);
    match (known, is_new) {
        (Some(_), true) | (None, false) => Err(Error::IncorrectKeyMaterial),
        (Some(version), false) => {
            let before = version.imported.replace(imported);
            Ok((version.number, before.is_some_and(|before| before.present)))
        }
        // A replica takes what its primary key has, and no other.
        (None, true) if follows => Err(Error::IncorrectKeyMaterial),
        (None, true) => {
            let number = u32::try_from(key.versions.len()).map_err(|_| Error::Internal)? + 1;
            let version = KeyVersion {
                number,
                created: now,
                material_id: id.to_owned(),
                rotated: None,
                imported: Some(imported),
            };
            if key.versions.is_empty() {
                key.versions.push(version);
            } else if key.spec != KeySpec::SymmetricDefault {
                return Err(Error::IncorrectKeyMaterial);
            } else if key.pending.is_some() {
                return Err(Error::InvalidState {
                    arn: key.arn(),
                    state: "waiting for a rotation to key material that was imported before",
                });
            } else {
                key.pending = Some(version);
            }
            Ok((number, false))
        }
    }
}

/// The changes that remove the material of versions.
fn removed(found: &Found, numbers: &[u32]) -> Result<Vec<Change>, Error> {
    let mut key = found.entry.key.clone();
    let mut rows = Vec::new();
    for version in key.versions.iter_mut().chain(&mut key.pending) {
        let Some(imported) = version.imported.as_mut() else { continue };
        if numbers.contains(&version.number) && imported.present {
            imported.present = false;
            rows.push(gone(&found.entry.key, version));
        }
    }
    // A replica goes on waiting for what its primary key has.
    let waits = key.is_replica();
    key.pending = key.pending.filter(|pending| waits || pending.is_present());
    if !key.is_whole() && matches!(key.state, KeyState::Enabled | KeyState::Disabled) {
        key.state = KeyState::PendingImport;
    }
    // The key first: while its material goes, nobody takes it for usable.
    let mut changes = vec![found.entry.replace(&key)?];
    changes.extend(rows);
    Ok(changes)
}

/// The change that removes the material of a version. Its row is written once, then removed.
fn gone(key: &Key, version: &KeyVersion) -> Change {
    let row = material_row(&key.place(), version.number);
    Change { row, expected: Revision(1), value: None }
}
