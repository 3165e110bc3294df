package server

import (
	"io"

	"github.com/labstack/echo/v4"

	"flash.test/delay-server/kit/httpkit"
)

// boardView is the view of the page /board.
type boardView struct {
	pageView
	Reachable string // base URL for other computers, if it is known and not the page's own
}

// boardPage returns the handler of the page /board. At a loopback address the page shows
// commands with an address that other computers can use, if there is one.
func (s *Server) boardPage() echo.HandlerFunc {
	render := func(reachable string) echo.HandlerFunc {
		return httpkit.Page(func(w io.Writer) error {
			return templates.ExecuteTemplate(w, "board.html", boardView{s.pageView("/board"), reachable})
		})
	}
	own := render("")
	return func(c echo.Context) error {
		var view getView
		err := s.chooseAddress(&view, c.Request())
		if err != nil || view.Problem != "" || view.Chosen.URL == httpkit.BaseURLOf(c.Request()) {
			return own(c)
		}
		return render(view.Chosen.URL)(c)
	}
}
