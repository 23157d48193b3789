package pgwire

import (
	"crypto/rand"
	"errors"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"

	"github.com/millrace/millrace/internal/pgerr"
)

const (
	scramMechanism  = "SCRAM-SHA-256"
	scramIterations = 4096
	scramSaltBytes  = 16
)

// scramServer checks the one password, which it keeps in salted form only.
type scramServer struct{ server *scram.Server }

func newSCRAM(password string) (*scramServer, error) {
	client, err := scram.SHA256.NewClient("", password, "")
	if err != nil {
		// A password that is no valid UTF-8 or holds forbidden characters is
		// taken as it is, as PostgreSQL does.
		if client, err = scram.SHA256.NewClientUnprepped("", password, ""); err != nil {
			return nil, err
		}
	}
	salt := make([]byte, scramSaltBytes)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	stored, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: scramIterations})
	if err != nil {
		return nil, err
	}
	// The user name in the exchange is not looked at: PostgreSQL's clients leave
	// it empty, and the password is the same for everyone.
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) { return stored, nil })
	if err != nil {
		return nil, err
	}
	return &scramServer{server}, nil
}

// authenticateSCRAM runs the SASL exchange.
func (c *conn) authenticateSCRAM() error {
	c.send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{scramMechanism}})
	if err := c.flush(); err != nil {
		return errSilent
	}
	body, err := c.readPassword()
	if err != nil {
		return err
	}
	var first pgproto3.SASLInitialResponse
	if err := first.Decode(body); err != nil {
		return pgerr.New(pgerr.ProtocolViolation, "malformed SASL response").Wrap(err)
	}
	if first.AuthMechanism != scramMechanism {
		return pgerr.New(pgerr.ProtocolViolation, "client selected an invalid SASL authentication mechanism")
	}
	talk := c.srv.scram.server.NewConversation()
	challenge, err := talk.Step(string(first.Data))
	if err != nil {
		return errPassword(err)
	}
	c.send(&pgproto3.AuthenticationSASLContinue{Data: []byte(challenge)})
	if err := c.flush(); err != nil {
		return errSilent
	}
	if body, err = c.readPassword(); err != nil {
		return err
	}
	proof, err := talk.Step(string(body))
	if err != nil || !talk.Valid() {
		return errPassword(errors.Join(err, errWrongPassword))
	}
	c.send(&pgproto3.AuthenticationSASLFinal{Data: []byte(proof)})
	return nil
}

var errWrongPassword = errors.New("the proof does not fit the password")

func errPassword(cause error) error {
	return pgerr.New(pgerr.InvalidPassword, "password authentication failed").Wrap(cause)
}
