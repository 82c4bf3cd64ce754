package crypto

import (
	"crypto"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

func parseSSHRecipient(s string) (age.Recipient, error) {
	pub, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s))
	if err != nil {
		return nil, errors.New("SSH public key is malformed")
	}
	r, err := agessh.ParseRecipient(s)
	if err != nil {
		return nil, fmt.Errorf("SSH key of type %.40q cannot be used: must be ssh-ed25519, or ssh-rsa of 2048 bits or more", pub.Type())
	}
	return sshRecipient{r, sshText(pub)}, nil
}

func parseSSHIdentity(pem []byte) (age.Identity, error) {
	raw, err := ssh.ParseRawPrivateKey(pem)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, errors.New("SSH key has a passphrase: give a copy without one (ssh-keygen -p)")
	}
	if err != nil { // it may contain the secret
		return nil, errors.New("SSH private key is malformed")
	}
	i, err := agessh.ParseIdentity(pem)
	if err != nil {
		return nil, fmt.Errorf("SSH key of type %T cannot be used: must be ed25519 or RSA", raw)
	}
	signer, ok := raw.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("SSH key of type %T has no public part", raw)
	}
	pub, err := ssh.NewPublicKey(signer.Public())
	if err != nil {
		return nil, errors.New("SSH private key's public part is malformed")
	}
	return sshIdentity{i, sshText(pub)}, nil
}

// sshRecipient is an SSH recipient that knows its text, without the comment.
type sshRecipient struct {
	age.Recipient
	text string
}

func (r sshRecipient) String() string { return r.text }

// sshIdentity is an SSH identity that knows its recipient's text.
type sshIdentity struct {
	age.Identity
	text string
}

func (i sshIdentity) recipientText() string { return i.text }

func sshText(pub ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(pub)))
}
