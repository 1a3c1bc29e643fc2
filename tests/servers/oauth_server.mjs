// A real authorization server (oidc-provider), and behind it an MCP server of ours that believes its tokens.
//
//     node oauth_server.mjs FOLDER_OF_OIDC_PROVIDER FILE
//
// FILE gets the port. /test/expire ends every access token, /test/end every login, /test/life?seconds=N says how long
// the next tokens live, /test/seen tells what was asked.
import { createServer } from "node:http";
import { writeFileSync, renameSync } from "node:fs";

const [folder, file] = process.argv.slice(2);
const { Provider } = await import(`${folder}/lib/index.js`);
const seen = { registrations: [], renewals: 0, revocations: 0, calls: 0, tokens: [] };
const issued = { access: [], refresh: [], grants: new Set() };
let life = 3600;

const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;
const resource = `${origin}/mcp`;

const provider = new Provider(origin, {
  scopes: ["openid", "offline_access", "tools:read", "tools:write"],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { AccessToken: () => life, DeviceCode: 600, RefreshToken: 86400, Grant: 86400, Interaction: 600, Session: 600 },
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true },
    deviceFlow: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, indicator) => {
        if (indicator !== resource) throw new Error("another resource");
        return { scope: "tools:read tools:write", audience: resource, accessTokenFormat: "opaque", accessTokenTTL: life };
      },
    },
  },
});
provider.on("access_token.saved", (token) => issued.access.push(token));
provider.on("refresh_token.saved", (token) => issued.refresh.push(token));
provider.on("grant.success", (ctx) => seen.tokens.push(ctx.body.access_token, ctx.body.refresh_token, ctx.oidc.params.code));
provider.on("registration_create.success", (_, client) => seen.registrations.push(client.metadata()));
provider.on("grant.success", (ctx) => (seen.renewals += ctx.oidc.params.grant_type === "refresh_token" ? 1 : 0));
provider.on("grant.revoked", (_, id) => (seen.revocations += id ? 1 : 0));
const oidc = provider.callback();

function json(response, status, value, headers = {}) {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(value === undefined ? undefined : JSON.stringify(value));
}

const tool = (name) => ({ name, description: `It ${name}s.`, inputSchema: { type: "object" } });
const answers = {
  initialize: () => ({ protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "guarded", version: "1" } }),
  "tools/list": () => ({ tools: [tool("read"), tool("write")] }),
  ping: () => ({}),
};

async function mcp(request, response) {
  const metadata = `resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`;
  const sent = (request.headers.authorization ?? "").replace(/^Bearer /, "");
  const token = sent ? await provider.AccessToken.find(sent) : undefined;
  if (!token || !token.isValid || ![token.aud].flat().includes(resource)) {
    const error = sent ? `error="invalid_token", ` : "";
    return json(response, 401, { error: "unauthorized" }, { "www-authenticate": `Bearer ${error}scope="tools:read", ${metadata}` });
  }
  if (request.method !== "POST") return json(response, 405);
  let body = "";
  for await (const piece of request) body += piece;
  const message = JSON.parse(body);
  if (message.method === "tools/call") {
    if (message.params.name === "write" && !token.scope.split(" ").includes("tools:write")) {
      const wants = `Bearer error="insufficient_scope", scope="tools:write", ${metadata}`;
      return json(response, 403, { error: "forbidden" }, { "www-authenticate": wants });
    }
    seen.calls += 1;
    const text = `done with ${sent}`;
    return json(response, 200, { jsonrpc: "2.0", id: message.id, result: { content: [{ type: "text", text }] } });
  }
  if (message.id === undefined) return json(response, 202);
  const answer = answers[message.method];
  const said = answer ? { result: answer() } : { error: { code: -32601, message: "no such method" } };
  return json(response, 200, { jsonrpc: "2.0", id: message.id, ...said });
}

server.on("request", async (request, response) => {
  const url = new URL(request.url, origin);
  if (url.pathname === "/mcp") return mcp(request, response);
  if (url.pathname === "/.well-known/oauth-protected-resource/mcp") {
    return json(response, 200, { resource, authorization_servers: [origin], scopes_supported: ["tools:read", "tools:write"] });
  }
  if (url.pathname === "/test/expire") {
    for (const token of issued.access.splice(0)) await token.destroy();
    return json(response, 200, {});
  }
  if (url.pathname === "/test/end") {
    for (const token of [...issued.access.splice(0), ...issued.refresh.splice(0)]) await token.destroy();
    return json(response, 200, {});
  }
  if (url.pathname === "/test/life") {
    life = Number(url.searchParams.get("seconds"));
    return json(response, 200, {});
  }
  if (url.pathname === "/test/seen") return json(response, 200, { ...seen, tokens: seen.tokens.filter(Boolean) });
  return oidc(request, response);
});

writeFileSync(`${file}.draft`, String(server.address().port));
renameSync(`${file}.draft`, file);
