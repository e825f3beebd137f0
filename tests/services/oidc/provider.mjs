// A certified OpenID Connect provider (panva/node-oidc-provider) with the accounts and the client that it is given:
// node provider.mjs '{"port": 1, "issuer": "…", "clients": […], "accounts": {"alice": {"email": "…"}}, "in_token": true}'
// Any password opens an account; who has none is called by what they typed. PKCE is demanded of every client.
import Provider from 'oidc-provider';

const given = JSON.parse(process.argv[2]);

const provider = new Provider(given.issuer, {
  clients: given.clients,
  scopes: ['openid', 'email', 'groups'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'] },
  // As the specification has it, claims of scopes stand in userinfo alone; many providers put them into the token.
  conformIdTokenClaims: !given.in_token,
  pkce: { required: () => true },
  cookies: { keys: ['of the tests alone'] },
  async findAccount(_, id) {
    return { accountId: id, claims: async () => ({ sub: id, ...given.accounts[id] }) };
  },
});

provider.on('server_error', (_, error) => console.error(error));
provider.listen(given.port, '127.0.0.1', () => console.log('listening'));
