package eval

import (
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/millrace/millrace/internal/pgerr"
	"github.com/millrace/millrace/types"
)

// form is the Unicode normalization form that the second argument names.
func (x *row) form() (norm.Form, error) {
	if len(x.v) < 2 {
		return norm.NFC, nil
	}
	switch strings.ToUpper(x.str(1)) {
	case "NFC":
		return norm.NFC, nil
	case "NFD":
		return norm.NFD, nil
	case "NFKC":
		return norm.NFKC, nil
	case "NFKD":
		return norm.NFKD, nil
	}
	return 0, pgerr.New(pgerr.InvalidParameterValue, "invalid normalization form: %s", x.str(1))
}

func normalize(x *row) (types.Value, error) {
	f, err := x.form()
	return strValue(f.String(x.str(0))), err
}

func isNormalized(x *row) (types.Value, error) {
	f, err := x.form()
	return boolValue(f.IsNormalString(x.str(0))), err
}
