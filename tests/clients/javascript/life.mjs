// The whole life of a key through the AWS SDK for JavaScript: node life.mjs ENDPOINT
import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, createPublicKey, randomBytes, verify } from "node:crypto";
import * as kms from "@aws-sdk/client-kms";

const client = (account) =>
  new kms.KMSClient({
    endpoint: process.argv[2],
    region: "eu-west-1",
    credentials: { accessKeyId: account, secretAccessKey: "any" },
    maxAttempts: 1,
  });
const [owner, stranger] = ["111122223333", "222222222222"].map(client);
const ask = (name, input, by = owner) => by.send(new kms[`${name}Command`](input));
const refused = (name, input, code, by = owner) =>
  assert.rejects(ask(name, input, by), (error) => error.name === code && error.$metadata.requestId !== undefined);

const { KeyMetadata: key } = await ask("CreateKey", { Description: "made by JavaScript" });
assert.equal(key.KeyState, "Enabled");
assert.ok(key.CreationDate instanceof Date && Math.abs(key.CreationDate - Date.now()) < 60_000);
const alias = `alias/javascript/${key.KeyId}`;
await ask("CreateAlias", { AliasName: alias, TargetKeyId: key.KeyId });
console.log("created and named");

const EncryptionContext = { purpose: "life" };
const made = await ask("GenerateDataKey", { KeyId: alias, KeySpec: "AES_256", EncryptionContext });
assert.equal(made.KeyId, key.Arn);
const text = randomBytes(100_000);
const nonce = randomBytes(12);
const cipher = createCipheriv("aes-256-gcm", made.Plaintext, nonce);
const sealed = Buffer.concat([cipher.update(text), cipher.final()]);
await ask("RotateKeyOnDemand", { KeyId: key.KeyId });
const { CiphertextBlob } = made;
const opened = await ask("Decrypt", { CiphertextBlob, EncryptionContext });
const decipher = createDecipheriv("aes-256-gcm", opened.Plaintext, nonce);
decipher.setAuthTag(cipher.getAuthTag());
assert.deepEqual(Buffer.concat([decipher.update(sealed), decipher.final()]), text);
await refused("Decrypt", { CiphertextBlob }, "InvalidCiphertextException");
console.log("enveloped, rotated, opened what was old");

const { KeyMetadata: pair } = await ask("CreateKey", {
  KeySpec: "RSA_2048",
  KeyUsage: "SIGN_VERIFY",
});
const { PublicKey } = await ask("GetPublicKey", { KeyId: pair.KeyId });
const { Signature } = await ask("Sign", {
  KeyId: pair.KeyId,
  Message: Buffer.from("message"),
  SigningAlgorithm: "RSASSA_PKCS1_V1_5_SHA_256",
});
const outside = createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
assert.ok(verify("sha256", Buffer.from("message"), outside, Signature));
assert.ok(!verify("sha256", Buffer.from("other"), outside, Signature));
console.log("signed, verified outside");

await refused("Decrypt", { CiphertextBlob, EncryptionContext }, "AccessDeniedException", stranger);
await refused("DescribeKey", { KeyId: "alias/none" }, "NotFoundException");
console.log("denied");

const { DeletionDate } = await ask("ScheduleKeyDeletion", {
  KeyId: key.KeyId,
  PendingWindowInDays: 7,
});
assert.ok(DeletionDate - Date.now() > 6.9 * 24 * 3600 * 1000);
await refused("Encrypt", { KeyId: key.KeyId, Plaintext: text.subarray(0, 9) }, "KMSInvalidStateException");
console.log("to be deleted");
