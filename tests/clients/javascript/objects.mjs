// Buckets and objects through the AWS SDK for JavaScript: node objects.mjs HTTP_ENDPOINT HTTPS_ENDPOINT CA_FILE
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import { Readable } from "node:stream";
import { CreateKeyCommand, DisableKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import * as s3 from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";

const [plain, secure, authority] = process.argv.slice(2);
const KIB = 1024;
const MIB = 1024 * KIB;
const common = {
  region: "eu-west-1",
  credentials: { accessKeyId: "111122223333", secretAccessKey: "any" },
  maxAttempts: 1,
};
const overTls = { requestHandler: { httpsAgent: new Agent({ ca: readFileSync(authority) }) } };
const clients = {
  http: new s3.S3Client({ ...common, endpoint: plain, forcePathStyle: true }),
  https: new s3.S3Client({ ...common, endpoint: secure, forcePathStyle: true, ...overTls }),
};
const kms = new KMSClient({ ...common, endpoint: plain });
const ask = (name, input, by = clients.https) => by.send(new s3[`${name}Command`](input));
const refused = (name, input, code, status) =>
  assert.rejects(ask(name, input), (error) => error.name === code && error.$metadata.httpStatusCode === status);

const { KeyMetadata: key } = await kms.send(new CreateKeyCommand({}));
const Bucket = `javascript-${process.pid}`;
await ask("CreateBucket", { Bucket, CreateBucketConfiguration: { LocationConstraint: "eu-west-1" } });
assert.equal((await ask("HeadBucket", { Bucket })).BucketRegion, "eu-west-1");

// Bytes that repeat nowhere near.
const bytes = (length) => createHash("shake128", { outputLength: length }).update(String(length)).digest();
// A body that has to be read once, in pieces of odd sizes.
const flowing = (content) =>
  Readable.from(
    (function* () {
      for (let at = 0; at < content.length; at += 30_011) yield content.subarray(at, at + 30_011);
    })(),
    { objectMode: false },
  );
const read = async (answer) => {
  const pieces = [];
  for await (const piece of answer.Body) pieces.push(piece);
  return Buffer.concat(pieces);
};

const customer = { SSECustomerAlgorithm: "AES256", SSECustomerKey: Buffer.alloc(32, 7).toString("base64") };
customer.SSECustomerKeyMD5 = createHash("md5").update(Buffer.alloc(32, 7)).digest("base64");
const modes = {
  AES256: [{ ServerSideEncryption: "AES256" }, {}],
  "aws:kms": [{ ServerSideEncryption: "aws:kms", SSEKMSKeyId: key.KeyId }, {}],
  "bucket key": [{ ServerSideEncryption: "aws:kms", SSEKMSKeyId: key.KeyId, BucketKeyEnabled: true }, {}],
  "aws:kms:dsse": [{ ServerSideEncryption: "aws:kms:dsse", SSEKMSKeyId: key.KeyId }, {}],
  "SSE-C": [customer, customer],
};
const shown = (answer, asked) => {
  assert.equal(answer.ServerSideEncryption, asked.ServerSideEncryption);
  assert.equal(answer.SSEKMSKeyId, asked.SSEKMSKeyId && key.Arn);
  assert.equal(answer.BucketKeyEnabled, asked.BucketKeyEnabled);
  assert.equal(answer.SSECustomerAlgorithm, asked.SSECustomerAlgorithm);
};

for (const [name, [asked, reading]] of Object.entries(modes)) {
  for (const length of [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 3 * MIB]) {
    const [content, Key] = [bytes(length), `${name}/${length}`];
    const put = await ask("PutObject", { Bucket, Key, Body: content, ...asked });
    const got = await ask("GetObject", { Bucket, Key, ...reading });
    shown(put, asked);
    shown(got, asked);
    assert.equal(got.ContentLength, length);
    assert.deepEqual(await read(got), content);
    assert.ok(put.ChecksumCRC32 && put.ChecksumCRC32 === got.ChecksumCRC32);
  }
}
console.log("put and got");

for (const [door, client] of Object.entries(clients)) {
  for (const [name, [asked, reading]] of Object.entries(modes)) {
    if (door === "http" && name === "SSE-C") continue;
    const [content, Key] = [bytes(700_000), `flowing/${door}/${name}`];
    const Body = flowing(content);
    const how = { ContentLength: content.length, ChecksumAlgorithm: "SHA256", Metadata: { door } };
    await ask("PutObject", { Bucket, Key, Body, ...how, ...asked }, client);
    const got = await ask("GetObject", { Bucket, Key, ...reading }, client);
    assert.deepEqual(await read(got), content);
    assert.equal(got.Metadata.door, door);
    const range = await ask("GetObject", { Bucket, Key, Range: "bytes=65530-131080", ...reading }, client);
    assert.equal(range.ContentRange, "bytes 65530-131080/700000");
    assert.deepEqual(await read(range), content.subarray(65530, 131081));
    const head = await ask("HeadObject", { Bucket, Key, ChecksumMode: "ENABLED", ...reading }, client);
    assert.equal(head.ChecksumSHA256, createHash("sha256").update(content).digest("base64"));
  }
}
console.log("streamed");

for (const [name, [asked, reading]] of Object.entries(modes)) {
  const [content, Key] = [bytes(12 * MIB), `parts/${name}`];
  const params = { Bucket, Key, Body: flowing(content), ...asked };
  const done = await new Upload({ client: clients.https, params, partSize: 5 * MIB, queueSize: 3 }).done();
  assert.match(done.ETag, /-3"$/);
  shown(done, { ...asked, SSECustomerAlgorithm: undefined });
  const got = await ask("GetObject", { Bucket, Key, ...reading });
  assert.deepEqual(await read(got), content);
  const second = await ask("GetObject", { Bucket, Key, PartNumber: 2, ...reading });
  assert.equal(second.PartsCount, 3);
  assert.deepEqual(await read(second), content.subarray(5 * MIB, 10 * MIB));
}
const upload = new Upload({
  client: clients.https,
  params: { Bucket, Key: "aborted", Body: flowing(bytes(12 * MIB)) },
  partSize: 5 * MIB,
});
upload.on("httpUploadProgress", () => upload.abort());
await assert.rejects(upload.done(), { name: "AbortError" });
await refused("GetObject", { Bucket, Key: "aborted" }, "NoSuchKey", 404);
console.log("in parts");

await ask("CopyObject", { Bucket, Key: "copy", CopySource: `${Bucket}/${encodeURIComponent("aws:kms/65536")}` });
assert.deepEqual(await read(await ask("GetObject", { Bucket, Key: "copy" })), bytes(64 * KIB));
const names = [];
for await (const page of s3.paginateListObjectsV2({ client: clients.http, pageSize: 7 }, { Bucket }))
  names.push(...page.Contents.map((found) => found.Key));
assert.equal(names.length, 5 * 6 + 9 + 5 + 1);
assert.deepEqual(names, [...names].sort());
const gone = await ask("DeleteObjects", { Bucket, Delete: { Objects: [{ Key: "copy" }, { Key: "none" }] } });
assert.deepEqual(gone.Deleted.map((found) => found.Key).sort(), ["copy", "none"]);
console.log("copied, listed, deleted");

await refused("GetObject", { Bucket, Key: "copy" }, "NoSuchKey", 404);
await refused("GetObject", { Bucket, Key: "SSE-C/1" }, "InvalidRequest", 400);
await refused("GetObject", { Bucket, Key: "AES256/1", Range: "bytes=1-" }, "InvalidRange", 416);
await refused("PutObject", { Bucket, Key: "AES256/1", Body: "x", IfNoneMatch: "*" }, "PreconditionFailed", 412);
await refused("DeleteBucket", { Bucket }, "BucketNotEmpty", 409);
await kms.send(new DisableKeyCommand({ KeyId: key.KeyId }));
await refused("GetObject", { Bucket, Key: "aws:kms/1" }, "KMS.DisabledException", 400);
await refused("GetObject", { Bucket, Key: "aws:kms:dsse/1" }, "KMS.DisabledException", 400);
console.log("refused");
